//! From the bytes of a trace file to comma-separated text or the like, whatever it was exported by.
//!
//! What can only mean one thing is read: gzip, UTF-16 with its mark, and columns between semicolons or tabs. Of everything
//! else one sentence says what it is and what to do.

use std::io::{self, Read};

use flate2::read::MultiGzDecoder;

/// What a gzipped file may at most unpack to, if it is no more than so many times its size: tables are packed to a tenth
/// or so, files that are made to fill a memory to a thousandth.
const MOST_PACKED: u64 = 200;
/// What is always unpacked.
const ALWAYS_UNPACKED: u64 = 64 << 20;

const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";
const UTF16_LE_MARK: &[u8] = b"\xff\xfe";
const UTF16_BE_MARK: &[u8] = b"\xfe\xff";
/// Bytes among which a zero says that something is no text.
const GLANCE: usize = 1 << 12;

/// The text of a file, in UTF-8 as far as can be told without reading all of it, and without a byte order mark.
///
/// # Errors
///
/// What it is instead, and what to do: the rest of a sentence that begins with the file's name.
pub(super) fn text(bytes: Vec<u8>, limit: u64) -> Result<Vec<u8>, String> {
    let bytes = match bytes.starts_with(b"\x1f\x8b") {
        true => unpacked(&bytes, limit)?,
        false => bytes,
    };
    if let Some(kind) = other_kind(&bytes) {
        return Err(kind.to_owned());
    }
    let has_mark = |mark: &[u8]| bytes.starts_with(mark);
    if has_mark(UTF8_MARK) {
        return Ok(bytes[UTF8_MARK.len()..].to_vec());
    }
    if has_mark(UTF16_LE_MARK) {
        return from_utf16(&bytes[UTF16_LE_MARK.len()..], u16::from_le_bytes);
    }
    if has_mark(UTF16_BE_MARK) {
        return from_utf16(&bytes[UTF16_BE_MARK.len()..], u16::from_be_bytes);
    }
    match bytes[..bytes.len().min(GLANCE)].contains(&0) {
        true => {
            Err("is not text: it has zero bytes, as UTF-16 without a byte order mark has; save it as UTF-8".to_owned())
        }
        false => Ok(bytes),
    }
}

/// What packs or holds tables and is not read.
fn other_kind(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (
            b"PK\x03\x04",
            "is a ZIP archive or a spreadsheet such as .xlsx: unpack it, or save the sheet as CSV",
        ),
        (
            b"\x28\xb5\x2f\xfd",
            "is compressed with zstd: unpack it, or compress it with gzip",
        ),
        (
            b"\xfd7zXZ\0",
            "is compressed with xz: unpack it, or compress it with gzip",
        ),
        (b"BZh", "is compressed with bzip2: unpack it, or compress it with gzip"),
        (b"\x1f\x8b", "is compressed with gzip twice: unpack it once"),
        (b"PAR1", "is in Parquet: write it as CSV"),
        (b"\xff\xfe\0\0", "is in UTF-32: save it as UTF-8"),
    ];
    KINDS
        .into_iter()
        .find(|(magic, _)| bytes.starts_with(magic))
        .map(|(_, kind)| kind)
}

fn unpacked(packed: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    let most = limit.min((packed.len() as u64).saturating_mul(MOST_PACKED).max(ALWAYS_UNPACKED));
    let mut bytes = Vec::new();
    let read = MultiGzDecoder::new(packed).take(most + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() as u64 > most => Err(format!(
            "unpacks to more than {} MiB, which no table does: unpack it yourself if it is one",
            most >> 20
        )),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err("is gzipped and breaks off in the middle: fetch or write it again".to_owned())
        }
        Err(error) => Err(format!("is gzipped and damaged ({error}): fetch or write it again")),
    }
}

fn from_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Vec<u8>, String> {
    let broken = || "is in UTF-16 and damaged: save it as UTF-8".to_owned();
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return Err(broken());
    }
    // Mostly letters of one byte.
    let mut text = String::with_capacity(bytes.len() / 2);
    for letter in char::decode_utf16(pairs.map(|pair| unit([pair[0], pair[1]]))) {
        text.push(letter.map_err(|_| broken())?);
    }
    Ok(text.into_bytes())
}

/// What stands between the columns, judged by the line that names them: the one of `,`, `;` and tab of which there are
/// most.
pub(super) fn separator(text: &[u8]) -> u8 {
    let line = text
        .split(|byte| matches!(byte, b'\n' | b'\r'))
        .find(|line| !line.is_empty());
    let mut quoted = false;
    let mut counts = [(b'\t', 0), (b';', 0), (b',', 0)];
    for byte in line.unwrap_or_default() {
        quoted ^= *byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(separator == byte && !quoted);
        }
    }
    // Of equals the last, which is the comma.
    counts
        .iter()
        .max_by_key(|(_, count)| *count)
        .map_or(b',', |(separator, _)| *separator)
}

/// The name of a column as it is looked for: in lower case, with one underscore for white space and hyphens between
/// words. What a resource is called is left as it is, since it is called so elsewhere as well.
pub(super) fn column_name(written: &str, resource: &str) -> String {
    let name = written.trim();
    if let Some((prefix, rest)) = name.split_at_checked(resource.len())
        && prefix.eq_ignore_ascii_case(resource)
    {
        return format!("{resource}{}", rest.trim());
    }
    let words = name
        .split(|c: char| c.is_whitespace() || c == '-')
        .filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("_").to_ascii_lowercase()
}

/// Why a header names no columns, if it is for something that is known.
pub(super) fn unusual_header(line: &str, columns: usize) -> Option<String> {
    let line = line.trim();
    if line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep=")) {
        return Some(format!(
            "the first line, `{line}`, is for spreadsheets: remove it, so that the first line names the columns"
        ));
    }
    let advice = "separate them by commas, semicolons or tabs";
    if columns == 1 && line.contains('|') {
        return Some(format!("the columns seem to be separated by `|`: {advice}"));
    }
    let words = line.split_whitespace().count();
    (columns == 1 && words > 2).then(|| format!("the columns seem to be separated by spaces: {advice}"))
}

/// Whether a text is a number but for its decimal comma.
pub(super) fn has_decimal_comma(text: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    text.split_once(',')
        .is_some_and(|(whole, rest)| is_number(whole) && is_number(rest))
}
