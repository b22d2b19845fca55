//! What the documentation says is what the code has: tables, names, routes, commands, links.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use promptory_events::limits;
use promptory_platform::ProblemType;

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(top().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The rows of the table between `<!-- name -->` and `<!-- /name -->`, each as its cells; the head is left out.
fn table(path: &str, name: &str) -> Vec<Vec<String>> {
    let text = text(path);
    let (begin, end) = (format!("<!-- {name} -->"), format!("<!-- /{name} -->"));
    let inside = text.split_once(&begin).and_then(|(_, rest)| rest.split_once(&end)).map(|(inside, _)| inside);
    let rows = inside.unwrap_or_else(|| panic!("{path} has no table {name}")).lines().filter(|l| l.starts_with('|'));
    rows.skip(2).map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

/// What stands in backticks at the beginning of a cell.
fn code(cell: &str) -> &str {
    cell.strip_prefix('`').and_then(|rest| rest.split('`').next()).unwrap_or_default()
}

#[test]
fn the_problem_table_is_the_code_s() {
    let written: Vec<String> = table("docs/api.md", "problems").iter().map(|row| row.join(" | ")).collect();
    let known = ProblemType::ALL.iter().map(|p| format!("{} | {} | {}", p.status, p.code, p.title));
    assert_eq!(written, known.collect::<Vec<_>>());
}

/// A constant's name and value, so that neither is written twice.
macro_rules! limits {
    ($($name:ident)*) => { [$((stringify!($name), limits::$name.to_string())),*] };
}

#[test]
fn the_limits_table_is_the_code_s() {
    let known = limits! {
        CONTENT_MAX_BYTES JSON_MAX_BYTES MODEL_MAX_BYTES TOOLS_MAX TOOL_NAME_MAX_BYTES SCHEMA_DEPTH_MAX SCHEMAS_MAX
        MESSAGE_MAX_BYTES KEY_MAX_BYTES LABEL_MAX_BYTES TAG_MAX_BYTES TAGS_MAX
        LABELS_MAX BRANCHES_MAX NAME_MAX_BYTES AUTHOR_MAX_BYTES IDEMPOTENCY_KEY_MAX_BYTES COMMANDS_PER_REQUEST_MAX
        REQUEST_MAX_BYTES BATCH_MAX_BYTES PAGE_MAX QUERY_MAX_BYTES QUERY_PARTS_MAX SEARCH_PAGE_MAX SEARCH_LANGUAGES_MAX SUGGESTIONS_MAX
        SEARCH_HOLD_MS AT_LEAST_WAIT_MAX_MS CLOCK_BEHIND_MAX_MS PREFIX_SEGMENTS_MAX
        GRANTS_MAX GROUPS_MAX API_KEYS_MAX KEY_OVERLAP_MAX_S TOKEN_MAX_BYTES TOKEN_AGE_MAX_MS TOKEN_SKEW_MAX_MS
        TOKEN_CLAIMS_MAX ISSUER_MAX_BYTES CLAIM_MAX_BYTES DIRECTORY_NAME_MAX_BYTES MEMBERS_PER_COMMAND_MAX
        DIRECTORY_PAGE_MAX DIRECTORY_SCAN_MAX ISSUERS_MAX CLAIMS_MAX TOKENS_REVOKED_MAX ROLES_MAX
        PROTECTIONS_MAX APPROVALS_MAX ATTEMPTS_PER_MINUTE_MAX READINGS_PER_MINUTE_MAX REQUESTS_MAX ROLLOUT_ARMS_MAX ROLLOUT_RUNS_MAX
        ROLLOUTS_MAX ROLLOUT_GUARDS_MAX GUARD_FALSE_ALARM_MIN_MILLIONTHS GUARD_FALSE_ALARM_MAX_MILLIONTHS
        BUCKET_KEY_MAX_BYTES VARIABLES_MAX VARIABLE_NAME_MAX_BYTES TEMPLATE_TOKENS_MAX TAG_TOKENS_MAX
        TEMPLATE_VALUES_MAX INCLUDES_MAX INCLUDE_DEPTH_MAX RENDER_PARTS_MAX RENDER_CONTENT_MAX_BYTES
        RENDER_VARIABLES_MAX_BYTES RENDER_OUTPUT_MAX_BYTES RENDER_STEPS_MAX USAGE_RECORDS_MAX USAGE_ID_MAX_BYTES USAGE_CALLER_MAX_BYTES
        USAGE_NAME_MAX_BYTES USAGE_SCORES_MAX USAGE_LATENCY_MAX_US USAGE_TOKENS_MAX USAGE_COST_MAX_NANOS
        USAGE_SCORE_MAX_MILLIONTHS USAGE_AHEAD_MAX_MS OTLP_BODY_MAX_BYTES OTLP_SPANS_MAX OTLP_SPAN_MAX_BYTES OTLP_ATTRIBUTES_MAX
        USAGE_GROUPS_MAX EMPTY_SEARCH_MAX_BYTES EMPTY_SEARCHES_KEPT USAGE_WAITING_MAX
    };
    let source = text("events/src/limits.rs");
    let declared = source.lines().filter_map(|l| l.strip_prefix("pub const ")?.split(':').next());
    assert_eq!(declared.collect::<Vec<_>>(), known.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    let rows = table("docs/api.md", "limits");
    let written: Vec<_> = rows.iter().map(|row| (code(&row[0]), row[1].clone())).collect();
    assert_eq!(written, known);
}

#[test]
fn the_event_catalogue_names_every_event_and_no_other() {
    // One golden file a variant: the events' own tests see to that.
    let files = fs::read_dir(top().join("events/golden")).unwrap();
    let mut known: BTreeSet<String> = files.map(|f| stem(&f.unwrap().path())).collect();
    assert!(known.remove("batch"));
    let text = text("docs/events.md");
    let catalogue = text.split_once("## Catalogue").unwrap().1.split("\n## ").next().unwrap();
    let rows = catalogue.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.map(ToOwned::to_owned).collect::<BTreeSet<_>>(), known);
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn the_api_page_has_every_route_and_no_other() {
    let (page, openapi) = (text("docs/api.md"), text("query-api/openapi.json"));
    let methods = ["GET", "POST", "PUT", "DELETE"];
    let headings = page.lines().filter_map(|line| line.strip_prefix("### "));
    let written = headings.filter(|heading| methods.iter().any(|m| heading.starts_with(&format!("{m} /"))));
    // Written with an indentation of two: a path stands at four, its methods at six.
    let (mut path, mut known) = (String::new(), BTreeSet::from(["GET /openapi.json".to_owned()]));
    for line in openapi.lines() {
        if let Some(rest) = line.strip_prefix("    \"/") {
            path = format!("/{}", rest.split('"').next().unwrap_or_default());
        } else if let Some(method) = line.strip_prefix("      \"").and_then(|rest| rest.strip_suffix("\": {")) {
            let method = method.to_uppercase();
            known.extend(methods.contains(&method.as_str()).then(|| format!("{method} {path}")));
        }
    }
    assert_eq!(written.map(ToOwned::to_owned).collect::<BTreeSet<_>>(), known);
}

/// In the OpenAPI document the last of two types of one name would stand for both, whatever crates they are of.
#[test]
fn no_two_types_have_one_name_in_the_openapi_document() {
    let mut known = std::collections::BTreeMap::new();
    for file in files(&top(), "rs") {
        let (mut begun, mut renamed) = (false, None);
        for line in fs::read_to_string(&file).unwrap().lines().map(str::trim) {
            if line.starts_with("#[derive(") {
                (begun, renamed) = (line.contains("ToSchema"), None);
            } else if begun && line.starts_with('#') {
                let name = line.split_once("as = ").map(|(_, rest)| word(rest).to_owned());
                renamed = name.or(renamed);
            } else if begun && let Some(name) = ["struct ", "enum "].iter().find_map(|kind| line.split_once(kind)) {
                let name = renamed.take().unwrap_or_else(|| word(name.1).to_owned());
                if let Some(other) = known.insert(name.clone(), file.clone()) {
                    panic!("{name} is in {} and in {}: say #[schema(as = …)]", other.display(), file.display());
                }
                begun = false;
            }
        }
    }
    assert!(known.len() > 100 && known.contains_key("LangfusePrompt"), "they are found: {}", known.len());
}

/// What a text begins with, as far as a name goes.
fn word(text: &str) -> &str {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

#[test]
fn the_metrics_table_has_every_metric_and_no_other() {
    let rows = table("docs/operations.md", "metrics");
    let written: BTreeSet<String> = rows.iter().map(|row| code(&row[0]).to_owned()).collect();
    let mut known = BTreeSet::new();
    for crate_ in ["events", "command-service", "projection-service", "query-api", "platform", "promptory"] {
        for file in files(&top().join(crate_), "rs") {
            let source = fs::read_to_string(file).unwrap();
            for begin in ["counter!(\"", "gauge!(\"", "histogram!(\"", "METRIC: &str = \""] {
                let names = source.split(begin).skip(1).filter_map(|rest| rest.split('"').next());
                known.extend(names.filter(|name| !name.starts_with("promptory_test_")).map(ToOwned::to_owned));
            }
        }
    }
    assert_eq!(written, known);
}

#[test]
fn the_two_commands_of_the_readme_are_there() {
    let readme = text("README.md");
    for command in ["cargo run --release -- demo", "./test"] {
        assert!(readme.lines().any(|line| line.split('#').next().unwrap_or_default().trim() == command), "{command}");
    }
    assert!(text("Cargo.toml").contains("default-members = [\"promptory\"]"), "`cargo run` means the one binary");
    assert!(text("promptory/src/main.rs").contains("Demo(serve::DemoArgs)"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(top().join("test")).unwrap().permissions());
    assert_eq!(mode & 0o111, 0o111, "./test can be run");
}

#[test]
fn the_questions_of_the_readme_are_the_demo_s() {
    let (readme, source) = (text("README.md"), text("promptory/src/serve.rs"));
    let paths: Vec<&str> = source.split("\"prompts").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert_eq!(paths.len(), 5);
    for path in paths {
        assert!(readme.contains(&format!("'http://127.0.0.1:8080/v1/prompts{path}'")), "prompts{path}");
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    let mut pages = files(&top().join("docs"), "md");
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md"].map(|name| top().join(name)));
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for target in targets.filter(|target| !target.contains("://")) {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let other = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(other.exists(), "{}: {target}", page.display());
            if !anchor.is_empty() {
                let there = fs::read_to_string(&other).unwrap();
                let found = there.lines().filter(|line| line.starts_with('#')).any(|line| slug(line) == anchor);
                assert!(found, "{}: {target}", page.display());
            }
        }
    }
}

/// A heading's anchor.
fn slug(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
    text.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

/// Every file below a folder with this ending; what cargo builds is left out.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() && !entry.ends_with("target") {
            found.extend(files(&entry, ending));
        } else if entry.extension().is_some_and(|e| e == ending) {
            found.push(entry);
        }
    }
    found
}
