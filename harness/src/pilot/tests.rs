use super::*;

fn of_kernel(kernel: Kernel, ns: f64) -> u32 {
    repetitions(kernel, ns).get()
}

#[test]
fn a_batch_of_the_fastest_case_lasts_long_enough_and_not_much_longer() {
    let check = |kernel: Kernel, ns: f64| {
        let k = of_kernel(kernel, ns);
        let batch = f64::from(k) * ns * f64::from(kernel.row().operations);
        assert!(batch >= BATCH_NS && (k == 1 || batch < 2.5 * BATCH_NS), "{kernel} {ns} ns: {k} x gives {batch}");
    };
    for ns in [90.0, 250.0, 251.0, 3_000.0, 49_999.0, 1e6] {
        for kernel in [Kernel::Latency, Kernel::Bandwidth, Kernel::Allreduce] {
            check(kernel, ns);
        }
    }
    assert_eq!([250.0, 251.0, 1e6].map(|ns| of_kernel(Kernel::Allreduce, ns)), [200, 200, 1]);
}

const CAMPAIGN: &str = "\
# mine\nschema = 1\nblocks = 15   # enough\n\n[workload]\nlatency = [\"8\", # small\n  \"1Mi:3\"]\nrounds = 2 # twice\nvisit_ms = 4\n";

fn advice(cells: &[(&str, u32)]) -> Advice {
    let cell = |(size, k): &(&str, u32)| Cell {
        kernel: Kernel::Latency,
        bytes: size.parse().unwrap(),
        k: NonZeroU32::new(*k).unwrap(),
    };
    let grounds = Grounds {
        launches: 8,
        pairs: Pairs::Blocks,
        between_visits: 0.01,
        between_launches: 0.02,
        launch_s: 1.0,
        round_s: 0.1,
        widest: None,
        precision: None,
    };
    let cells = cells.iter().map(cell).collect();
    Advice { cells, rounds: NonZeroU32::new(7).unwrap(), blocks: 40, grounds }
}

#[test]
fn a_campaign_keeps_everything_but_its_numbers() {
    let text = rewrite(CAMPAIGN, &advice(&[("8", 200), ("1Mi", 1)]), &["fixed".into()]).unwrap();
    let expected = CAMPAIGN
        .replace("blocks = 15", "blocks = 40")
        .replace("rounds = 2", "rounds = 7")
        .replace("\"8\"", "\"8:200\"")
        .replace("\"1Mi:3\"", "\"1Mi:1\"");
    assert_eq!(text, format!("# fixed\n{expected}"));
}

#[test]
fn a_campaign_of_another_run_is_refused() {
    let check = |text: &str, advice: &Advice, expected: &str| {
        let error = rewrite(text, advice, &[]).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(CAMPAIGN, &advice(&[("8", 200)]), "latency 1Mi:3 was not measured");
    check("schema = 1\nblocks = 1\n", &advice(&[]), "no `workload`");
    check("schema = = 1", &advice(&[]), "TOML parse error");
}
