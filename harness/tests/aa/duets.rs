//! Duets of a baseline with itself on a restless machine: each pair shares its state, each launch has luck of its own.

use bench_app::{Bytes, Kernel};
use harness::{
    case::Stack,
    decision::Pairs,
    id::AttemptId,
    plan,
    record::{Design, Purpose, Sample},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::synthetic;

/// What is wrong with the way in which launches are made, as shares of a time. By default nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pipeline {
    /// The twin takes so much longer.
    pub(crate) twin: f64,
    /// The later of two launches takes so much longer.
    pub(crate) later: f64,
    /// The baseline always comes first, whatever the plan says.
    pub(crate) baseline_first: bool,
    /// Standard deviation of a launch's luck, where it has any: one in four, as seen.
    pub(crate) luck: f64,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self { twin: 0.0, later: 0.0, baseline_first: false, luck: 0.08 }
    }
}

const SIZES: [(&str, f64); 4] = [("8", 300.0), ("1Ki", 400.0), ("8Ki", 1200.0), ("64Ki", 7500.0)];

impl Pipeline {
    pub(crate) fn run(&self, blocks: u32, seed: u64) -> synthetic::Run {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let native = Stack::Native { host: synthetic::host("4.1.8"), app: "/bench-app".into() };
        let mut case = synthetic::case(native, &SIZES.map(|(size, _)| size));
        case.workload.cells.retain(|cell| cell.kernel == Kernel::Latency);
        let design = Design { pairs: Pairs::Duet, ..synthetic::design(blocks, seed, vec![case], Vec::new()) };
        let (mut records, mut samples) = (Vec::new(), Vec::new());
        for number in 1..=blocks {
            // Near or far, for seconds: both of a duet are in it.
            let state = if rng.random::<f64>() < 0.2 { 3.0 } else { 1.0 };
            for launch in plan::block(&design, number) {
                let attempt = AttemptId(records.len() as u32 + 1);
                let is_twin = launch.purpose == Purpose::MeasureTwin;
                let second = if self.baseline_first { is_twin } else { launch.slot == 1 };
                let slower = |share: f64, is_so: bool| if is_so { 1.0 + share } else { 1.0 };
                let factor = state * slower(self.twin, is_twin) * slower(self.later, second);
                let common = self.luck_of(&mut rng);
                for (size, ns) in SIZES {
                    let bytes: Bytes = size.parse().unwrap();
                    let luck = 0.5 * common + self.luck_of(&mut rng);
                    let ns = (ns * factor * luck.exp() * 200.0) as u64;
                    samples.push(Sample { attempt, kernel: Kernel::Latency, bytes, visit: 0, batch: 0, k: 100, ns });
                }
                let partner = AttemptId(if launch.slot == 0 { attempt.0 + 1 } else { attempt.0 - 1 });
                let cells = &design.cases[0].workload.cells;
                records.push(synthetic::launch(&launch, cells, (attempt, Some(partner)), &mut rng).0);
            }
        }
        synthetic::Run { manifest: synthetic::manifest(&design), design, records, samples }
    }

    fn luck_of(&self, rng: &mut ChaCha8Rng) -> f64 {
        let spread = if rng.random::<f64>() < 0.25 { self.luck } else { 0.01 };
        spread * ((0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0)
    }
}
