//! What a process has written: the latest lines.

use std::collections::VecDeque;

use crate::model::Time;

/// Lines that are kept.
const LINES_MAX: usize = 1000;
/// Bytes that are kept, beside the latest line.
const BYTES_MAX: usize = 8 << 20;

/// Some output.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written.
    pub time: Time,
    /// Whether to the standard error.
    pub errors: bool,
    /// The bytes, a line feed usually the last of them.
    pub bytes: Vec<u8>,
}

/// The latest lines, numbered from zero.
#[derive(Debug, Default)]
pub struct Output {
    lines: VecDeque<Line>,
    /// The number of the first line that is kept.
    first: u64,
    bytes: usize,
}

impl Output {
    /// Takes in what is written, line by line; on a terminal lines end with a carriage return as well.
    pub fn write(&mut self, time: Time, errors: bool, bytes: &[u8], tty: bool) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) if tty => self.push(time, errors, [text, b"\r\n"].concat()),
                _ => self.push(time, errors, line.to_vec()),
            }
        }
    }

    /// Takes in what was read and is written again, as it came.
    pub fn echo(&mut self, time: Time, bytes: &[u8]) {
        self.push(time, false, bytes.to_vec());
    }

    fn push(&mut self, time: Time, errors: bool, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        self.lines.push_back(Line { time, errors, bytes });
        while self.lines.len() > LINES_MAX || (self.bytes > BYTES_MAX && self.lines.len() > 1) {
            let gone = self.lines.pop_front();
            self.bytes -= gone.map_or(0, |line| line.bytes.len());
            self.first += 1;
        }
    }

    /// The number of the first line that is kept.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// The number that the next line will have.
    pub fn next(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// The line with this number, or the first one after it that is kept.
    pub fn line(&self, number: u64) -> Option<(u64, &Line)> {
        let number = number.max(self.first);
        let place = usize::try_from(number - self.first).ok()?;
        self.lines.get(place).map(|line| (number, line))
    }
}
