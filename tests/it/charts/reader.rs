//! Reads pictures back: SVG strictly enough to refuse a broken document, PNG into pixels.

use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use swarmlab::report::chart::{Drawing, PNG_SCALE};

const FONTS: [&[u8]; 2] = [
    include_bytes!("../../../src/report/chart/font/DejaVuSans.ttf"),
    include_bytes!("../../../src/report/chart/font/DejaVuSans-Bold.ttf"),
];

/// One element, with the text directly inside it.
#[derive(Debug)]
pub struct Element {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Element {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    pub fn number(&self, name: &str) -> f64 {
        let text = self.attribute(name).unwrap_or_else(|| panic!("{self:?} has no {name}"));
        let value: f64 = text
            .parse()
            .unwrap_or_else(|_| panic!("{name} of {self:?} is no number"));
        assert!(value.is_finite(), "{self:?}");
        value
    }
}

/// All elements of a document in the order in which they begin; panics if it is not well-formed.
pub fn elements(svg: &str) -> Vec<Element> {
    let mut elements: Vec<Element> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    let mut rest = svg;
    while let Some(start) = rest.find('<') {
        let between = unescape(&rest[..start]);
        match open.last() {
            Some(&i) => elements[i].text.push_str(&between),
            None => assert!(between.trim().is_empty(), "text outside the document: {between:?}"),
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let i = open.pop().unwrap_or_else(|| panic!("</{name}> closes nothing"));
            assert_eq!(elements[i].name, name);
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        assert!(
            elements.is_empty() || !open.is_empty(),
            "a second document after the first"
        );
        if !closed {
            open.push(elements.len());
        }
        elements.push(element(tag));
    }
    assert!(
        open.is_empty() && rest.trim().is_empty(),
        "unclosed: {open:?}, left over: {rest:?}"
    );
    elements
}

fn element(tag: &str) -> Element {
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        let (key, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("{tag:?}"));
        let (value, after) = after.split_once('"').unwrap_or_else(|| panic!("{tag:?}"));
        attributes.push((key.trim().to_string(), unescape(value)));
        rest = after;
    }
    Element {
        name: name.to_string(),
        attributes,
        text: String::new(),
    }
}

fn unescape(text: &str) -> String {
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "control character in {text:?}"
    );
    let plain = text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "");
    assert!(!plain.contains('&'), "unknown entity in {text:?}");
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

/// The texts of a document that are drawn, with the room they take: left, top, right, bottom.
pub fn letters(svg: &str) -> Vec<(String, [f64; 4])> {
    let texts = elements(svg).into_iter().filter(|element| element.name == "text");
    texts.map(|text| (text.text.clone(), room(&text))).collect()
}

fn room(text: &Element) -> [f64; 4] {
    let bold = text.attribute("font-weight") == Some("bold");
    let font = FontRef::new(FONTS[usize::from(bold)]).expect("the font is well-formed");
    let em = text.number("font-size");
    assert!(em >= 11.0, "{text:?} is too small to read");
    let advances = font.glyph_metrics(Size::unscaled(), LocationRef::default());
    let units = |letter: char| match font.charmap().map(letter) {
        None => 2048.0,
        Some(glyph) => f64::from(advances.advance_width(glyph).expect("every glyph has one")),
    };
    let width = text.text.chars().map(units).sum::<f64>() / 2048.0 * em;
    let (x, baseline) = (text.number("x"), text.number("y"));
    let left = match text.attribute("text-anchor") {
        None => x,
        Some("middle") => x - width / 2.0,
        Some("end") => x - width,
        Some(other) => panic!("unknown anchor {other}"),
    };
    [left, baseline - 0.75 * em, left + width, baseline + 0.2 * em]
}

/// Width and height of the document.
pub fn size(svg: &str) -> (f64, f64) {
    let elements = elements(svg);
    let root = &elements[0];
    assert_eq!(root.name, "svg");
    let (width, height) = (root.number("width"), root.number("height"));
    assert_eq!(
        root.attribute("viewBox"),
        Some(format!("0 0 {width} {height}").as_str())
    );
    (width, height)
}

/// The pixels of the PNG, row by row.
pub fn pixels(drawing: &Drawing) -> Vec<Vec<[u8; 3]>> {
    let mut reader = png::Decoder::new(drawing.png.as_slice()).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size()];
    let frame = reader.next_frame(&mut bytes).expect("a whole PNG");
    assert_eq!(
        (frame.color_type, frame.bit_depth),
        (png::ColorType::Rgb, png::BitDepth::Eight)
    );
    let (width, height) = size(&drawing.svg);
    let scale = f64::from(PNG_SCALE);
    assert_eq!(
        (f64::from(frame.width), f64::from(frame.height)),
        (width * scale, height * scale)
    );
    let rows = bytes.chunks_exact(frame.width as usize * 3);
    rows.map(|row| {
        row.chunks_exact(3)
            .map(|pixel| [pixel[0], pixel[1], pixel[2]])
            .collect()
    })
    .collect()
}
