use super::*;
use proptest::prelude::*;

const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn commits(bytes: &[u8]) -> io::Result<Vec<Commit>> {
    let mut fields = Fields::new(bytes);
    std::iter::from_fn(|| fields.commit().transpose()).collect()
}

#[test]
fn commits_with_and_without_changes_follow_each_other() {
    let text = format!(
        "{A}\x001\0a@b\0one\n\nbody\n\0\0\n:000000 100644 {A} {B} A\0x\ny\0:100644 100755 {A} {B} R087\0:p\0q\0\
         {B}\0-2\0\0\0\0{A}\x003\0c@d\0three\n\0\0\n:120000 160000 {A} {B} T\0s\0"
    );
    let commits = commits(text.as_bytes()).unwrap();
    let ids: Vec<&str> = commits.iter().map(|commit| commit.id.as_str()).collect();
    assert_eq!(ids, [A, B, A]);
    assert_eq!((commits[0].seconds, commits[0].message.as_str()), (1, "one\n\nbody\n"));
    assert_eq!((commits[1].seconds, commits[1].email.as_str(), commits[1].changes.len()), (-2, "", 0));
    let [added, renamed] = &commits[0].changes[..] else { panic!("{:?}", commits[0]) };
    assert_eq!((added.before.kind, added.after.kind), (Kind::Absent, Kind::File));
    assert_eq!((&*added.after.path, added.after.blob.as_str()), (&b"x\ny"[..], B));
    assert_eq!((&*renamed.before.path, &*renamed.after.path), (&b":p"[..], &b"q"[..]));
    let typed = &commits[2].changes[0];
    assert_eq!((typed.before.kind, typed.after.kind), (Kind::Symlink, Kind::Submodule));
}

#[test]
fn anything_else_is_an_error_and_never_a_shorter_history() {
    for bad in [
        "x".to_owned(),
        "x\0".to_owned(),
        format!("{A}\0"),
        format!("{A}\0soon\0\0\0\0"),
        format!("{A}\x001\0\0\0more\0"),
        format!("{A}\x001\0\0\0\0\n:100644 100644 {A} {B} M\0"),
        format!("{A}\x001\0\0\0\0\n:100644 100644 {A} M\0p\0"),
        format!("{A}\x001\0\0\0\0\n:100644 990644 {A} {B} M\0p\0"),
        format!("{A}\x001\0\0\0\0\n:100644 100644 {A} ../../x M\0p\0"),
        format!("{A}\x001\0\0\0\0\n:100644 100644 {A} {B} M\0p"),
    ] {
        assert!(commits(bad.as_bytes()).is_err(), "{bad:?}");
    }
    assert!(commits(b"").unwrap().is_empty());
}

proptest! {
    #[test]
    fn no_output_of_git_breaks_the_reader(bytes in prop::collection::vec(prop::sample::select(b"a:0\n\0 R".to_vec()), 0..300)) {
        let _ = commits(&bytes);
    }
}
