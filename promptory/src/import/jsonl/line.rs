//! One line at a time, with a bound: a file without line ends must not fill the memory.

use std::io::{self, BufRead};

/// The longest line: the largest text with every byte escaped, a message, and room.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// What was read.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line, without its end; the last one may have none.
    Whole,
    /// A line over the bound; it is skipped to its end.
    TooLong,
    /// No more lines.
    End,
}

/// Reads the next line into `buffer`.
///
/// # Errors
/// What the reader says. A line that it had begun is not given.
pub fn read(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let (mut begun, mut too_long) = (false, false);
    loop {
        let chunk = match reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if chunk.is_empty() && !begun {
            return Ok(Line::End);
        }
        let end = chunk.iter().position(|b| *b == b'\n');
        let part = &chunk[..end.unwrap_or(chunk.len())];
        too_long |= buffer.len() + part.len() > MAX_BYTES;
        if !too_long {
            buffer.extend_from_slice(part);
        }
        let over = chunk.is_empty() || end.is_some();
        let used = end.map_or(chunk.len(), |end| end + 1);
        reader.consume(used);
        begun = true;
        if over {
            return Ok(if too_long { Line::TooLong } else { Line::Whole });
        }
    }
}
