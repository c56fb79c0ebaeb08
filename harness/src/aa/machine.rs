//! A machine that is near, between or far: a virtual machine whose host moves its cores about.
//!
//! As seen on one with two cores: a flag passed through shared memory takes 63 to 90 ns or 290 to 350 ns, MPI latencies rise
//! by 2.7 to 4.2 with it, and the state changes within seconds, so that launches of one program scatter by 17 to 50 %.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Where the two cores are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Near,
    Between,
    Far,
}

impl State {
    /// What a latency is multiplied by.
    const fn factor(self) -> f64 {
        match self {
            State::Near => 1.0,
            State::Between => 1.4,
            State::Far => 3.0,
        }
    }

    /// How long it lasts on average, s.
    const fn lasts(self) -> f64 {
        match self {
            State::Near => 15.0,
            State::Between => 1.0,
            State::Far => 2.0,
        }
    }

    /// The two states that follow, and the probability of the first.
    const fn next(self) -> (State, State, f64) {
        match self {
            State::Near => (State::Between, State::Far, 0.5),
            State::Between => (State::Near, State::Far, 0.7),
            State::Far => (State::Near, State::Between, 0.7),
        }
    }
}

/// A continuous-time Markov chain over the three states.
#[derive(Debug)]
pub(super) struct Machine {
    rng: ChaCha8Rng,
    state: State,
    /// When the state ends, s.
    until: f64,
}

impl Machine {
    /// One that has run for so long that its start does not matter.
    pub(super) fn new(rng: ChaCha8Rng) -> Self {
        let mut machine = Self { rng, state: State::Near, until: -200.0 };
        machine.factor(0.0);
        machine
    }

    /// What a latency is multiplied by at `time`, s. Time only goes forward.
    pub(super) fn factor(&mut self, time: f64) -> f64 {
        while self.until <= time {
            let (one, other, probability) = self.state.next();
            self.state = if self.rng.random::<f64>() < probability { one } else { other };
            self.until -= self.state.lasts() * (1.0 - self.rng.random::<f64>()).ln();
        }
        self.state.factor()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn states_last_for_seconds_and_come_as_often_as_they_should() {
        let mut machine = Machine::new(ChaCha8Rng::seed_from_u64(1));
        let factors: Vec<f64> = (0..400_000).map(|tenth| machine.factor(f64::from(tenth) / 10.0)).collect();
        let share = |factor: f64| factors.iter().filter(|f| **f == factor).count() as f64 / 4e5;
        // To each near state belong 1 / 1.4 of the other two, by the probabilities of what follows.
        let cycle = 15.0 + (1.0 + 2.0) / 1.4;
        assert!((share(1.0) - 15.0 / cycle).abs() < 0.02, "{}", share(1.0));
        assert!((share(3.0) - 2.0 / 1.4 / cycle).abs() < 0.02, "{}", share(3.0));
        let changes = factors.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!((4_500..6_500).contains(&changes), "{changes} changes in 40000 s");
    }
}
