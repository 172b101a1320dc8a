//! Letters: the built-in font, how wide a text is, and how to shorten one that is too wide.
//!
//! Owns the font. The files are subsets of DejaVu Sans 2.37 (Latin, superscripts, arrows, mathematical signs; no
//! hinting, no kerning), under the licence that lies beside them. Must not know what a text says.

use std::sync::LazyLock;

use skrifa::charmap::Charmap;
use skrifa::instance::{LocationRef, Size};
use skrifa::metrics::GlyphMetrics;
use skrifa::outline::{DrawSettings, OutlineGlyphCollection, OutlinePen};
use skrifa::{FontRef, GlyphId, MetadataProvider};

use super::ChartError;
use super::picture::{Anchor, Colour, Picture, Point, Text};
use super::style;

/// What an SVG viewer should use. The layout is made for the first; what viewers put in its place is as wide (Verdana)
/// or narrower (Arial, Liberation Sans), so that nothing overlaps.
pub(super) const FAMILY: &str = "DejaVu Sans, Verdana, sans-serif";

/// Height of capital letters and digits, in ems.
pub(super) const CAP_HEIGHT: f64 = 0.729;

/// What a letter that the font lacks is taken to measure, in ems: viewers substitute another font, whose widest
/// common letters, the East Asian ones, are one em.
const MISSING_WIDTH: f64 = 1.0;

static FONTS: LazyLock<Option<[Font; 2]>> = LazyLock::new(|| {
    let regular = Font::read(include_bytes!("font/DejaVuSans.ttf"))?;
    let bold = Font::read(include_bytes!("font/DejaVuSans-Bold.ttf"))?;
    Some([regular, bold])
});

/// The built-in font.
pub(super) fn font(bold: bool) -> Result<&'static Font, ChartError> {
    FONTS
        .as_ref()
        .map(|fonts| &fonts[usize::from(bold)])
        .ok_or(ChartError::Font)
}

/// A font, everything in its own units.
pub(super) struct Font {
    units_per_em: f32,
    glyphs: Charmap<'static>,
    metrics: GlyphMetrics<'static>,
    outlines: OutlineGlyphCollection<'static>,
}

impl Font {
    fn read(bytes: &'static [u8]) -> Option<Font> {
        let font = FontRef::new(bytes).ok()?;
        let whole = LocationRef::default();
        Some(Font {
            units_per_em: f32::from(font.metrics(Size::unscaled(), whole).units_per_em),
            glyphs: font.charmap(),
            metrics: font.glyph_metrics(Size::unscaled(), whole),
            outlines: font.outline_glyphs(),
        })
    }

    /// Units to an em.
    pub(super) fn units_per_em(&self) -> f32 {
        self.units_per_em
    }

    /// The glyph of a letter, [`GlyphId::NOTDEF`] if there is none.
    pub(super) fn glyph(&self, letter: char) -> GlyphId {
        self.glyphs.map(letter).unwrap_or(GlyphId::NOTDEF)
    }

    /// How far the letter after a glyph is.
    pub(super) fn advance(&self, glyph: GlyphId) -> f32 {
        self.metrics.advance_width(glyph).unwrap_or(0.0)
    }

    /// Draws the outline of a glyph, if it has one.
    pub(super) fn outline(&self, glyph: GlyphId, pen: &mut impl OutlinePen) {
        if let Some(outline) = self.outlines.get(glyph) {
            // The built-in fonts are well-formed: a test looks at every letter that charts write.
            let _ = outline.draw(DrawSettings::unhinted(Size::unscaled(), LocationRef::default()), pen);
        }
    }
}

/// Width of a text in pixels.
pub(super) fn width(content: &str, size: f64, bold: bool) -> f64 {
    // Without a font nothing is drawn in the end, so any width will do.
    let Ok(font) = font(bold) else {
        return size * content.chars().count() as f64;
    };
    let units_per_em = f64::from(font.units_per_em());
    let ems = content.chars().map(|letter| match font.glyph(letter) {
        GlyphId::NOTDEF => MISSING_WIDTH,
        glyph => f64::from(font.advance(glyph)) / units_per_em,
    });
    ems.sum::<f64>() * size
}

/// The text itself if it fits, else as much of it as fits with `…` behind. Control characters, which no picture
/// format can hold, become spaces.
pub(super) fn fit(content: &str, size: f64, bold: bool, room: f64) -> String {
    let plain = |letter| if printable(letter) { letter } else { ' ' };
    let content: String = content.chars().map(plain).collect();
    let content = content.trim();
    if width(content, size, bold) <= room {
        return content.to_string();
    }
    let room = room - width("…", size, bold);
    let mut used = 0.0;
    let mut short = String::new();
    for letter in content.chars() {
        used += width(letter.encode_utf8(&mut [0; 4]), size, bold);
        if used > room {
            break;
        }
        short.push(letter);
    }
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

fn printable(letter: char) -> bool {
    !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}')
}

/// A style of letters, and where they go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen {
    pub size: f64,
    pub bold: bool,
    pub colour: Colour,
}

impl Pen {
    /// Of the whole picture.
    pub(super) const TITLE: Pen = Pen {
        size: 18.0,
        bold: true,
        colour: style::INK,
    };
    /// Below the title.
    pub(super) const SUBTITLE: Pen = Pen {
        size: 13.0,
        bold: false,
        colour: style::MUTED,
    };
    /// Of a panel.
    pub(super) const HEADING: Pen = Pen {
        size: 13.0,
        bold: true,
        colour: style::INK,
    };
    /// Names and values.
    pub(super) const LABEL: Pen = Pen {
        size: 13.0,
        bold: false,
        colour: style::INK,
    };
    /// Numbers along an axis, and remarks.
    pub(super) const TICK: Pen = Pen {
        size: 12.0,
        bold: false,
        colour: style::MUTED,
    };

    /// Width of a text in pixels.
    pub(super) fn width(&self, content: &str) -> f64 {
        width(content, self.size, self.bold)
    }

    /// The text, shortened to the room.
    pub(super) fn fit(&self, content: &str, room: f64) -> String {
        fit(content, self.size, self.bold, room)
    }

    /// The text in at most so many lines, broken between words; the last is shortened to the room.
    pub(super) fn wrap(&self, content: &str, room: f64, lines_max: usize) -> Vec<String> {
        let mut lines = vec![String::new()];
        for word in content.split_whitespace() {
            let last = lines.len() - 1;
            let longer = if lines[last].is_empty() {
                word.to_string()
            } else {
                format!("{} {word}", lines[last])
            };
            if lines[last].is_empty() || lines.len() == lines_max || self.width(&longer) <= room {
                lines[last] = longer;
            } else {
                lines.push(word.to_string());
            }
        }
        lines.iter().map(|line| self.fit(line, room)).collect()
    }

    /// Writes on a baseline.
    pub(super) fn write(&self, picture: &mut Picture, at: Point, anchor: Anchor, content: &str) {
        let Pen { size, bold, colour } = *self;
        picture.text(Text {
            at,
            content: content.to_string(),
            size,
            bold,
            colour,
            anchor,
        });
    }

    /// The baseline at which capitals and digits are centred on a height.
    pub(super) fn centred(&self, y: f64) -> f64 {
        y + CAP_HEIGHT * self.size / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_fits_is_kept_and_one_that_does_not_ends_in_an_ellipsis() {
        assert_eq!(fit("spread", 13.0, false, 100.0), "spread");
        let short = fit(&"spread ".repeat(40), 13.0, true, 100.0);
        assert!(short.ends_with('…') && width(&short, 13.0, true) <= 100.0, "{short}");
        assert_eq!(fit("spread", 13.0, false, 1.0), "…");
        assert_eq!(fit("a\u{0}b\nc", 13.0, false, 100.0), "a b c");
    }

    #[test]
    fn a_long_text_is_broken_between_words() {
        let lines = Pen::HEADING.wrap("Stranded memory on nodes whose CPU is exhausted", 200.0, 2);
        assert_eq!(lines, ["Stranded memory on", "nodes whose CPU is exha…"]);
        assert_eq!(Pen::HEADING.wrap("", 200.0, 2), [""]);
    }

    #[test]
    fn every_sign_that_charts_write_is_in_both_fonts() {
        for bold in [false, true] {
            let font = font(bold).expect("the built-in font is well-formed");
            for letter in "…−–—±×≤≥≈µμσ★%·⁰¹²³⁴⁵⁶⁷⁸⁹⁻\u{a0}".chars() {
                assert_ne!(font.glyph(letter), GlyphId::NOTDEF, "{letter:?} is missing");
            }
        }
    }
}
