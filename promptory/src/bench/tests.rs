use super::*;

fn args(only: Scenario) -> BenchArgs {
    BenchArgs {
        seconds: 0.05,
        rounds: 2,
        seed: 1,
        nats: NatsArgs::default(),
        replicas: 1,
        only: vec![only],
        data: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("demo")),
        json: None,
        markdown: false,
        search_queries: None,
        scale: 0.002,
    }
}

/// Runs a scenario on a tiny scale. Whether bars are met depends on the machine; that figures come does not.
async fn figures_of(scenario: Scenario) -> Report {
    let report = measured(args(scenario)).await.unwrap();
    assert!(!report.figures.is_empty());
    for figure in &report.figures {
        assert!(figure.median.is_finite() || figure.name.contains("at the server"), "{figure:?}");
        assert_eq!(figure.bar.is_some(), figure.met.is_some());
    }
    report
}

fn has(report: &Report, name: &str) -> bool {
    report.figures.iter().any(|figure| figure.name.contains(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_measured_with_the_bytes_that_the_real_thing_writes() {
    let report = figures_of(Scenario::Limits).await;
    assert!(report.figures.iter().all(|figure| figure.samples.len() == 2), "one sample a round");
    for name in ["bare GET", "bare POST", "sled", "redb"] {
        assert!(has(&report, name), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_are_measured_for_every_shape_and_step() {
    let report = figures_of(Scenario::Commands).await;
    for shape in ["one prompt", "many prompts", "many tenants"] {
        for step in ["1 client", "8 clients", "64 clients"] {
            assert!(has(&report, &format!("{shape}, {step}: acknowledged")), "{shape} {step}");
        }
        assert!(has(&report, &format!("{shape}, 64 clients: of the bare POST")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resolves_are_compared_with_the_bare_handler_and_timed_at_the_server() {
    let report = figures_of(Scenario::Resolve).await;
    assert!(has(&report, "of the bare GET") && has(&report, "p99 at the server"));
    let within = report.figures.iter().find(|figure| figure.name.contains("within 1 ms")).unwrap();
    assert!(within.median > 0.0, "the server's histogram was not found: {within:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn searches_are_timed_at_the_server_and_writes_until_they_are_found() {
    let report = figures_of(Scenario::Search).await;
    assert!(has(&report, "p99 at the server") && has(&report, "until it is found"));
    let prompts = report.figures.iter().find(|figure| figure.name.contains("searched")).unwrap();
    assert!(prompts.median >= 50.0, "not all are found: {prompts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tenants_are_searched_and_resolved_by_turns() {
    let report = figures_of(Scenario::Tenants).await;
    assert!(has(&report, "searches, half the load: p99 at the server") && has(&report, "peak of the process"));
    let prompts = report.figures.iter().find(|figure| figure.name.contains("in 3 tenants")).unwrap();
    assert!(prompts.median >= 60.0, "each has its own: {prompts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_is_there_for_others() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let args = BenchArgs { search_queries: Some(file.path().to_owned()), ..args(Scenario::Search) };
    measured(args).await.unwrap();
    let asked = fs::read_to_string(file.path()).unwrap();
    assert!(asked.lines().count() == 2_000 && asked.lines().all(|query| (1..=3).contains(&query.split(' ').count())));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_becomes_readable() {
    assert!(has(&figures_of(Scenario::Visible).await, "at_least: p99"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_gives_the_same_model_and_a_rate() {
    assert!(has(&figures_of(Scenario::Rebuild).await, "of sled's own rate"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_start_answers_with_and_without_what_can_be_made_again() {
    assert_eq!(figures_of(Scenario::ColdStart).await.figures.iter().filter(|f| f.met.is_some()).count(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loud_tenant_is_measured_beside_the_others() {
    let report = figures_of(Scenario::Isolation).await;
    for what in ["reads by label of the others", "writes of the others"] {
        for name in [format!("{what}, p99 without it"), format!("{what}, p99 beside it")] {
            assert!(has(&report, &name), "{name}");
        }
    }
    assert_eq!(report.figures.iter().filter(|figure| figure.met.is_some()).count(), 2);
}

#[test]
fn without_servers_the_ledger_on_them_is_left_out_and_can_not_be_asked_for() {
    let asked = Bench::new(args(Scenario::JetStream));
    assert!(matches!(asked.err(), Some(BenchError::NoServers)));
    let bench = Bench::new(BenchArgs { only: vec![], ..args(Scenario::Limits) }).unwrap();
    assert!(!bench.scenarios().contains(&Scenario::JetStream));
    let machine = Machine::look(bench.scratch.path()).unwrap();
    assert!(bench.report(machine, Vec::new()).to_string().contains("JetStream: left out"));
}

#[test]
fn odd_numbers_are_refused() {
    for bad in ["0", "-1", "x", "nan", "inf", "1e9"] {
        assert!(positive(bad).is_err(), "{bad}");
    }
    assert!(positive("0.5").is_ok());
}
