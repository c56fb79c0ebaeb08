//! `sifbench plan`: the exact commands, and nothing is run.

use std::process::ExitCode;

use bench_app::gate::{Entrance, Job};
use serde::Serialize;

use super::{
    CampaignArgs, PlanArgs,
    commands::{campaign, missing, resolved},
    edge::Edge,
    nodes::Place,
    profile::Chosen,
    staging,
};
use crate::{
    compose::{Commands, Ground, InstanceCommands},
    plan,
    record::{Design, Purpose},
    run,
};

/// One planned launch, for `plan --json`.
#[derive(Serialize)]
struct Planned {
    profile: String,
    block: u32,
    slot: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner: Option<u32>,
    purpose: Purpose,
    case: String,
    before: Vec<String>,
    command: String,
    argv: Vec<String>,
    after: Vec<String>,
}

impl Planned {
    /// As it is typed, below the name of its case.
    fn lines(&self) -> String {
        let together = match self.partner {
            Some(partner) if partner > self.slot => ", in turns with the next",
            Some(_) => ", in turns with the one before",
            None => "",
        };
        let typed = self.before.iter().chain([&self.command]).chain(&self.after).map(|line| format!("{line}\n"));
        format!("# {}{together}\n", self.case) + &typed.collect::<String>()
    }
}

/// `sifbench plan`.
pub(super) fn plan(edge: &Edge, args: &PlanArgs) -> anyhow::Result<ExitCode> {
    let mut plans = Vec::new();
    for campaign in args.campaign.sweep() {
        plans.push(planned(edge, &campaign, args)?);
    }
    if args.json {
        let launches: Vec<&Planned> = plans.iter().flat_map(|(launches, _)| launches).collect();
        edge.print(&(serde_json::to_string_pretty(&launches)? + "\n"))?;
    } else {
        let texts: Vec<&str> = plans.iter().map(|(_, text)| text.as_str()).collect();
        edge.print(&texts.join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The launches of a campaign, and how they are told.
fn planned(edge: &Edge, args: &CampaignArgs, asked: &PlanArgs) -> anyhow::Result<(Vec<Planned>, String)> {
    let PlanArgs { nodes, every_block, .. } = asked;
    let chosen = Chosen::find(edge, nodes)?;
    let (campaign, given) = campaign(args, &chosen)?;
    let design = resolved(edge, &campaign, &args.overrides(), &chosen)?;
    let place = Place::imagined(edge, nodes, chosen, &design)?;
    let absent = missing(&design, &place.chosen);
    let design = staging::planned(edge, &place, &design)?;
    let ground = Ground { runtime: &place.runtime, nodes: &place.nodes, instance: "sifbench-NAME", gate: None };
    let launches = (0..=design.blocks + 1).flat_map(|number| plan::block(&design, number));
    let planned = launches.map(|launch| {
        let workload = plan::workload(&launch, launch.case.workload.cells.clone(), design.seed);
        let job = if launch.slot % 2 == 0 { Job::First } else { Job::Second };
        let gate = launch.partner.map(|_| Entrance { path: "PRIVATE/gate".into(), job });
        let ground = Ground { gate: gate.as_ref(), ..ground };
        let plan::Launch { block, slot, partner, purpose, .. } = launch;
        let case = launch.case.label();
        let (before, command, argv, after) = match run::commands(&launch, &workload, &ground) {
            Ok(Commands { instance, launch, .. }) => {
                let (before, after) = instance.as_ref().map_or_else(Default::default, InstanceCommands::to_lines);
                (before, launch.to_string(), [vec![launch.program], launch.args].concat(), after)
            }
            Err(reason) => (Vec::new(), format!("# unsupported: {reason}"), Vec::new(), Vec::new()),
        };
        let profile = place.chosen.profile.name.clone();
        Planned { profile, block, slot, partner, purpose, case, before, command, argv, after }
    });
    let planned: Vec<Planned> = planned.collect();
    let mut text = format!("# {}: {} launches, seed {}\n", design.campaign, planned.len(), design.seed);
    text += &format!("# {}\n", plan::estimate(&design));
    text.extend(plan::doubts(&design).into_iter().map(|why| format!("# mind: {why}\n")));
    text += &place.remarks(&given, &design);
    for (file, role) in absent {
        text += &format!("# absent: {role} {}\n", file.display());
    }
    for of_block in planned.chunk_by(|one, next| one.block == next.block) {
        let Some(block) = of_block.first().map(|launch| launch.block) else { continue };
        if block >= 2 && block <= design.blocks && !every_block {
            text += &if block == 2 { format!("\n# {}\n", others(design.blocks)) } else { String::new() };
            continue;
        }
        text += &format!("\n# {}\n", block_title(&design, block));
        of_block.iter().for_each(|launch| text += &launch.lines());
    }
    Ok((planned, text))
}

/// What is said of the blocks behind the first, of `blocks`.
fn others(blocks: u32) -> String {
    match blocks {
        2 => "block 2 of 2: the same launches in another order; --every-block prints it".to_owned(),
        last => format!("blocks 2 to {last} of {last}: the same launches in other orders; --every-block prints them"),
    }
}

fn block_title(design: &Design, block: u32) -> String {
    match block {
        0 => "block 0: discovery of cells that hang or fail (not analysed)".to_owned(),
        n if n <= design.blocks => format!("block {n} of {}", design.blocks),
        _ => "probes: tried once for their outcome".to_owned(),
    }
}
