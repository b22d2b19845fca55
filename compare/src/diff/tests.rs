//! What a reader of a diff relies on: it leads from the one to the other, and is the one of `diff -u`.

use std::process::Command;

use proptest::prelude::*;

use super::*;

const PLAIN: Version<'static> =
    Version { kind: Kind::Text, content: "", config: None, syntax: Syntax::Simple, variables: None };

fn texts(from: &str, to: &str) -> TextDiff {
    let side = |content| Version { kind: Kind::Text, content, config: None, syntax: Syntax::Simple, variables: None };
    match compare(Some(side(from)), side(to)).unwrap().content {
        ContentDiff::Text(diff) => diff,
        other => panic!("{other:?}"),
    }
}

fn chats(from: &str, to: &str) -> Vec<MessageChange> {
    let side = |content| Version { kind: Kind::Chat, content, config: None, syntax: Syntax::Simple, variables: None };
    match compare(Some(side(from)), side(to)).unwrap().content {
        ContentDiff::Messages(changes) => changes,
        other => panic!("{other:?}"),
    }
}

fn words(text: &str) -> Vec<Word> {
    let op = |mark| match mark {
        '-' => Op::Delete,
        '+' => Op::Insert,
        _ => Op::Equal,
    };
    text.split('|').map(|w| Word { op: op(w.chars().next().unwrap()), text: w[1..].to_owned() }).collect()
}

#[test]
fn a_changed_line_is_shown_word_by_word() {
    let diff = texts("Be kind.\nSay Hello to {{name}} now.\nEnd.\n", "Be kind.\nSay Good day to {{user}} now.\nEnd.\n");
    let [hunk] = diff.hunks.as_slice() else { panic!("{diff:?}") };
    assert_eq!((hunk.from, hunk.to), ((1, 3), (1, 3)));
    let changed = words("=Say |-Hello|+Good day|= to {{|-name|+user|=}} now.\n");
    assert_eq!(hunk.parts[1], Part::Changed(changed));
    let phrase = texts("one two three four\n", "one 2 3 four\n");
    assert_eq!(phrase.hunks[0].parts, [Part::Changed(words("=one |-two three|+2 3|= four\n"))], "not word for word");
}

#[test]
fn what_is_far_apart_is_two_hunks_and_nothing_is_none() {
    let lines: Vec<String> = (1..=20).map(|n| format!("{n}\n")).collect();
    assert_eq!(texts(&lines.concat(), &lines.concat()), TextDiff::default());
    let spans = |at: &[usize]| {
        let mut other = lines.clone();
        at.iter().for_each(|n| other[n - 1] = "x\n".to_owned());
        texts(&lines.concat(), &other.concat()).hunks.iter().map(|hunk| hunk.from).collect::<Vec<_>>()
    };
    assert_eq!(spans(&[5, 12]), [(2, 14)]);
    assert_eq!(spans(&[5, 13]), [(2, 7), (10, 7)]);
    assert_eq!(spans(&[1, 20]), [(1, 4), (17, 4)]);
}

#[test]
fn a_first_version_is_all_new_and_missing_line_ends_are_said() {
    let to = Version { kind: Kind::Text, content: "a\nb", config: Some(r#"{"model":"m"}"#), ..PLAIN };
    let first = compare(None, to).unwrap();
    let ContentDiff::Text(text) = &first.content else { panic!("{first:?}") };
    assert_eq!(text.unified(), "@@ -0,0 +1,2 @@\n+a\n+b\n\\ No newline at end of file\n");
    let model = KeyChange { path: "/model".to_owned(), from: None, to: Some(r#""m""#.to_owned()) };
    assert_eq!(first.config, [model]);
}

#[test]
fn messages_change_come_and_go() {
    let message = |role: &str, text: &str| format!(r#"{{"role":"{role}","content":"{text}"}}"#);
    let chat = |messages: &[(&str, &str)]| {
        let messages = messages.iter().map(|(role, text)| message(role, text));
        format!("[{}]", messages.collect::<Vec<_>>().join(","))
    };
    let from = chat(&[("system", "Be kind."), ("user", "Hi"), ("assistant", "Ho"), ("user", "x")]);
    let to = chat(&[("system", "Be kind."), ("user", "Hello"), ("system", "Ho"), ("user", "x"), ("user", "y")]);
    let expected = [
        MessageChange::Equal { from: 0, to: 0, count: 1 },
        MessageChange::Changed { from: 1, to: 1, text: texts("Hi", "Hello") },
        MessageChange::Delete { from: 2, message: message("assistant", "Ho") },
        MessageChange::Insert { to: 2, message: message("system", "Ho") },
        MessageChange::Equal { from: 3, to: 3, count: 1 },
        MessageChange::Insert { to: 4, message: message("user", "y") },
    ];
    assert_eq!(chats(&from, &to), expected);
    assert_eq!(chats("[]", "[]"), []);
}

#[test]
fn configurations_differ_by_key() {
    let side = |config| Version { kind: Kind::Text, content: "", config, ..PLAIN };
    let from = Some(r#"{"model":"m","sampling":{"t":1,"p":1},"stop":["a"]}"#);
    let to = Some(r#"{"model":"m","sampling":{"t":2,"p":1},"seed":7}"#);
    let changes = compare(Some(side(from)), side(to)).unwrap().config;
    let seen = |c: &KeyChange| format!("{} {:?} {:?}", c.path, c.from.as_deref(), c.to.as_deref());
    let expected = [r#"/sampling/t Some("1") Some("2")"#, r#"/stop Some("[\"a\"]") None"#, r#"/seed None Some("7")"#];
    assert_eq!(changes.iter().map(seen).collect::<Vec<_>>(), expected);
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof!["[ab ]{0,5}\n", Just("x\n".to_owned()), Just("é 下\r\n".to_owned())];
    (proptest::collection::vec(line, 0..25), any::<bool>()).prop_map(|(lines, whole)| {
        let mut text = lines.concat();
        if !whole {
            text.pop();
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_diff_leads_from_one_text_to_the_other(from in text(), to in text()) {
        let diff = texts(&from, &to);
        prop_assert_eq!(diff.hunks.is_empty(), from == to);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("text"), &from).unwrap();
        let patch = format!("--- a/text\n+++ b/text\n{}", diff.unified());
        std::fs::write(folder.path().join("patch"), patch).unwrap();
        if from != to {
            let mut apply = Command::new("git");
            // Nothing of a repository around it counts, and every line has to be where the hunk says it is.
            apply.args(["apply", "--unidiff-zero", "--whitespace=nowarn", "patch"]).current_dir(folder.path());
            let out = apply.env("GIT_CEILING_DIRECTORIES", folder.path()).output().unwrap();
            prop_assert!(out.status.success(), "{}\n{}", String::from_utf8_lossy(&out.stderr), diff.unified());
        }
        prop_assert_eq!(std::fs::read_to_string(folder.path().join("text")).unwrap(), to);
    }
}

#[test]
fn another_syntax_and_other_variables_are_differences() {
    let from = Version { variables: Some(r#"{"a":{"type":"string"}}"#), ..PLAIN };
    let to = Version { syntax: Syntax::Jinja, variables: Some(r#"{"a":{"type":"list"}}"#), ..PLAIN };
    let diff = compare(Some(from), to).unwrap();
    assert_eq!(diff.syntax, Some(SyntaxChange { from: Syntax::Simple, to: Syntax::Jinja }));
    assert_eq!(diff.variables[0].path, "/a/type");
    let same = compare(Some(to), to).unwrap();
    assert_eq!((same.syntax, same.variables), (None, vec![]));
}
