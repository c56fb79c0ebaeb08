//! Words that users never type: what sifbench asks of itself, in a new process or on another node.

use std::{ffi::OsString, process::ExitCode};

use super::{agent, copy, guard, guest, hold, in_rank, look, stage};

/// Handles a call of a hidden word, for the first line of `main`; `None` when `args` (the program's own name first) are an
/// ordinary call.
pub fn hidden_word(args: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut args = args.into_iter().skip(1);
    let word = args.next()?;
    Some(match word.to_str()? {
        stage::WORD => stage::exec_stage(args.collect()),
        agent::WORD => agent::become_agent(args.collect()),
        guard::WORD => guard::guard_room(args.collect()),
        guest::GUARD => guest::guard(args.collect()),
        guest::SWEEP => guest::sweep(args.collect()),
        copy::COPY => copy::copy(args.collect()),
        look::LOOK => look::look(args.collect()),
        hold::WORD => hold::hold(args.collect()),
        in_rank::WORD => in_rank::enter_instance(args.collect()),
        _ => return None,
    })
}
