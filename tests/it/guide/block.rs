//! One example of the guide: a request, an empty line, the answer.

use serde_json::Value;

/// Where it stands, what is sent, what comes back.
#[derive(Clone, Debug)]
pub struct Block {
    /// The heading that it stands below.
    pub heading: String,
    /// The place of the whole in the text.
    pub place: std::ops::Range<usize>,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    /// The request's body as it is written.
    pub sent: Option<String>,
    pub status: u16,
    /// The answer's headers that are shown.
    pub shown: Vec<(String, String)>,
    /// The answer's body as it is written.
    pub body: String,
}

/// All examples of a text, in order. A fence that does not begin with a method and a path is none.
pub fn all(text: &str) -> Vec<Block> {
    let (mut heading, mut begin, mut at, mut found) = (String::new(), None, 0, Vec::new());
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        match (begin, line.trim_end()) {
            (None, head) if head.starts_with('#') => head.trim_start_matches('#').trim().clone_into(&mut heading),
            (None, fence) if fence.starts_with("```") => begin = Some(end),
            (Some(from), "```") => {
                found.extend(parse(&heading, from..at, &text[from..at]));
                begin = None;
            }
            _ => {}
        }
        at = end;
    }
    found
}

fn parse(heading: &str, place: std::ops::Range<usize>, text: &str) -> Option<Block> {
    let first = text.lines().next()?;
    let (method, path) = first
        .split_once(' ')
        .filter(|(method, path)| method.chars().all(|c| c.is_ascii_uppercase()) && path.starts_with('/'))?;
    // The answer begins at the line that is a status.
    let status_line =
        text.lines().position(|line| line.len() == 3 && line.bytes().all(|byte| byte.is_ascii_digit()))?;
    let lines: Vec<&str> = text.lines().collect();
    let (headers, sent) = head(&lines[1..status_line]);
    let (shown, body) = head(&lines[status_line + 1..]);
    Some(Block {
        heading: heading.to_owned(),
        place,
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        sent: Some(sent).filter(|sent| !sent.is_empty()),
        status: lines[status_line].parse().ok()?,
        shown,
        body,
    })
}

/// Headers, and what comes after them.
fn head(lines: &[&str]) -> (Vec<(String, String)>, String) {
    let mut headers = Vec::new();
    let mut rest = lines.iter();
    let mut body = Vec::new();
    for line in rest.by_ref() {
        match line.split_once(": ").filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => {
                body.push(*line);
                break;
            }
        }
    }
    body.extend(rest);
    (headers, body.join("\n").trim().to_owned())
}

impl Block {
    /// The body to send.
    pub fn json(&self, sent: &str) -> Value {
        serde_json::from_str(sent).unwrap_or_else(|error| panic!("{}: {error} in what is sent: {sent}", self.heading))
    }

    /// The request as it is written, and an answer: what stands in the guide then.
    pub fn with(&self, shown: &[(String, String)], body: &str) -> String {
        let headers = |list: &[(String, String)]| {
            list.iter().map(|(name, value)| format!("{name}: {value}\n")).collect::<String>()
        };
        let between = if self.headers.is_empty() { "" } else { "\n" };
        let sent = self.sent.as_ref().map(|sent| format!("{between}{sent}\n")).unwrap_or_default();
        let body = if body.is_empty() { String::new() } else { format!("{body}\n") };
        format!(
            "{} {}\n{}{sent}\n{}\n{}{body}",
            self.method,
            self.path,
            headers(&self.headers),
            self.status,
            headers(shown)
        )
    }
}
