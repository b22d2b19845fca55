//! The log of what was acknowledged: one line of JSON each, written only after the answer arrived.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::edit::Place;

/// An open log.
#[derive(Debug)]
pub struct AckLog {
    file: File,
    waiting: Vec<u8>,
}

impl AckLog {
    /// Opens a log to add to it, or begins one.
    ///
    /// # Errors
    /// The file can't be used.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        let mut waiting = Vec::new();
        if file.seek(SeekFrom::End(0))? > 0 {
            file.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            file.read_exact(&mut last)?;
            if last != *b"\n" {
                waiting.push(b'\n'); // a run that was killed left half a line
            }
        }
        Ok(Self { file, waiting })
    }

    /// Adds a line; it is written with the next [`AckLog::flush`].
    pub fn add(&mut self, place: &Place, command_id: &str, position: Option<&str>) {
        let line = serde_json::json!({
            "file": &*place.file, "line": place.line, "command_id": command_id, "position": position,
        });
        self.waiting.extend_from_slice(line.to_string().as_bytes());
        self.waiting.push(b'\n');
    }

    /// Hands everything to the operating system: it stays if this process is killed.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.waiting)?;
        self.waiting.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torn_line_of_an_earlier_run_stays_a_line_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acks.jsonl");
        std::fs::write(&path, "{\"file\":\"a\",\"li").unwrap();
        let mut log = AckLog::open(&path).unwrap();
        let place = Place { file: "a".into(), line: 2 };
        log.add(&place, "cmd_1", Some("x-7"));
        log.flush().unwrap();
        let mut again = AckLog::open(&path).unwrap();
        again.add(&place, "cmd_2", None);
        again.flush().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "{\"file\":\"a\",\"li");
        let second: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
        assert_eq!(second, serde_json::json!({"file":"a","line":2,"command_id":"cmd_1","position":"x-7"}));
        assert!(lines[2].contains("cmd_2") && lines.len() == 3);
    }
}
