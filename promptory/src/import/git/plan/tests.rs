use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

fn side(path: &str, kind: Kind, blob: &str) -> Side {
    Side { path: path.into(), kind, blob: blob.into() }
}

fn change(before: (&str, &str), after: (&str, &str)) -> Change {
    let side = |(path, blob): (&str, &str)| side(path, if blob.is_empty() { Kind::Absent } else { Kind::File }, blob);
    Change { before: side(before), after: side(after) }
}

fn renamed(from: &str, to: &str) -> Change {
    change((from, "1"), (to, "2"))
}

/// Everything but paths with an underscore is in scope.
fn plan(changes: &[Change], live: &[&str]) -> Plan {
    let live = live.iter().map(ToString::to_string).collect();
    Plan::of(changes, |path| !path.contains(&b'_'), &live)
}

/// `a>b` for renames, `-a` for deletes, `a` for the rest.
fn steps(changes: &[Change], live: &[&str]) -> String {
    let plan = plan(changes, live);
    let renames = plan.renames.iter().map(|r| format!("{}>{}", r.from, r.to));
    let deletes = plan.deletes.iter().map(|path| format!("-{path}"));
    renames.chain(deletes).chain(plan.puts.into_iter().map(|put| put.path)).collect::<Vec<_>>().join(" ")
}

#[test]
fn renames_come_first_then_deletes_then_the_rest_each_by_path() {
    let changes = [
        change(("z", "1"), ("z", "2")),
        change(("y", "1"), ("y", "")),
        change(("c", ""), ("c", "1")),
        change(("x", "1"), ("x", "")),
        renamed("f", "b"),
        renamed("e", "d"),
    ];
    assert_eq!(steps(&changes, &["e", "f", "x", "y", "z"]), "f>b e>d -x -y c z");
}

#[test]
fn a_rename_waits_until_its_target_is_free() {
    assert_eq!(steps(&[renamed("a", "b"), renamed("b", "c"), renamed("c", "d")], &["a", "b", "c"]), "c>d b>c a>b");
}

#[test]
fn a_swap_becomes_deletes_and_creates() {
    assert_eq!(steps(&[renamed("a", "b"), renamed("b", "a")], &["a", "b"]), "-a -b a b");
    let with_another = [renamed("a", "b"), renamed("b", "c"), renamed("c", "a"), renamed("x", "y")];
    assert_eq!(steps(&with_another, &["a", "b", "c", "x"]), "x>y -a -b -c a b c");
}

#[test]
fn a_rename_over_the_border_of_the_scope_is_a_create_or_a_delete() {
    assert_eq!(steps(&[renamed("_out", "in")], &[]), "in");
    assert_eq!(steps(&[renamed("in", "_out")], &["in"]), "-in");
    assert_eq!(steps(&[renamed("_out", "_elsewhere")], &[]), "");
    assert_eq!(steps(&[renamed("never-taken", "b")], &[]), "b", "what is not live can't move");
}

#[test]
fn a_change_of_the_mode_alone_is_none() {
    assert_eq!(steps(&[change(("a", "1"), ("a", "1"))], &["a"]), "");
}

#[test]
fn what_is_no_file_is_told_and_replaces_what_was_one() {
    let link = Change { before: side("a", Kind::File, "1"), after: side("a", Kind::Symlink, "2") };
    let back = Change { before: side("b", Kind::Submodule, "1"), after: side("b", Kind::File, "2") };
    let far = Change { before: side("_c", Kind::Absent, ""), after: side("_c", Kind::Symlink, "2") };
    let plan = plan(&[link, back, far], &["a"]);
    assert_eq!(plan.skipped, [Skipped { path: "a".into(), why: "a symbolic link is no prompt" }]);
    assert_eq!((plan.deletes, plan.puts), (vec!["a".into()], vec![Put { path: "b".into(), blob: "2".into() }]));
}

#[test]
fn a_path_that_is_no_text_is_told() {
    let mut moved = renamed("a", "b");
    moved.after.path = b"b\xff".to_vec();
    let plan = plan(&[moved], &["a"]);
    assert_eq!((plan.unreadable, plan.deletes), (vec!["b\u{fffd}".to_owned()], vec!["a".to_owned()]));
}

/// Two trees, and changes that lead from one to the other with some of them told as renames, swaps too.
fn trees() -> impl Strategy<Value = (BTreeMap<String, u8>, BTreeMap<String, u8>, Vec<Change>)> {
    let path = prop::sample::select(vec!["a", "b", "c", "d", "e", "_f"]);
    let tree = prop::collection::btree_map(path.prop_map(str::to_owned), 1..4u8, 0..6);
    (tree.clone(), tree, prop::collection::vec((0..6usize, 0..6usize), 0..5)).prop_map(|(before, after, pairs)| {
        let (mut sources, mut targets) = (before.clone(), after.clone());
        let mut changes = Vec::new();
        for (from, to) in pairs {
            let from = sources.keys().nth(from).cloned();
            let to = targets.keys().nth(to).cloned();
            if let (Some(from), Some(to)) = (from, to)
                && from != to
            {
                sources.remove(&from);
                let blob = targets.remove(&to).unwrap_or_default().to_string();
                changes.push(change((&from, "0"), (&to, &blob)));
            }
        }
        for path in sources.keys().filter(|path| !targets.contains_key(*path) && !after.contains_key(*path)) {
            changes.push(change((path, "1"), (path, "")));
        }
        for (path, blob) in &targets {
            let was = before.get(path).map(ToString::to_string).unwrap_or_default();
            changes.push(change((path, &was), (path, &blob.to_string())));
        }
        (before, after, changes)
    })
}

proptest! {
    #[test]
    fn every_step_is_valid_and_together_they_lead_to_the_new_tree((before, after, changes) in trees()) {
        let in_scope = |tree: &BTreeMap<String, u8>| -> BTreeMap<String, String> {
            let kept = tree.iter().filter(|(path, _)| !path.contains('_'));
            kept.map(|(path, blob)| (path.clone(), blob.to_string())).collect()
        };
        let mut tree = in_scope(&before);
        let live: Vec<&str> = tree.keys().map(String::as_str).collect();
        let plan = plan(&changes, &live);
        for Rename { from, to, blob } in plan.renames {
            prop_assert!(tree.remove(&from).is_some());
            prop_assert!(tree.insert(to, blob).is_none());
        }
        for path in plan.deletes {
            prop_assert!(tree.remove(&path).is_some());
        }
        tree.extend(plan.puts.into_iter().map(|put| (put.path, put.blob)));
        prop_assert_eq!(tree, in_scope(&after));
    }
}
