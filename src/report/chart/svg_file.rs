//! A picture as an SVG document.
//!
//! Owns the mark-up. Written by hand because plotters' SVG knows neither fractions of a pixel, dashes nor rasters.
//! Must not know what the picture shows.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::picture::{Anchor, Colour, Frame, Picture, Point, Shape, Text};
use super::text;

/// The whole document.
pub(super) fn write(picture: &Picture) -> String {
    let (width, height) = (number(picture.width), number(picture.height));
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n<title>{}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        text::FAMILY,
        escape(&picture.title),
    );
    for shape in &picture.shapes {
        svg.push_str(&element(shape));
        svg.push('\n');
    }
    svg.push_str("</svg>\n");
    svg
}

fn element(shape: &Shape) -> String {
    match shape {
        Shape::Line { points, stroke } => {
            let dash: Vec<String> = stroke.dash.iter().map(|&length| number(length)).collect();
            let dash = if dash.is_empty() {
                String::new()
            } else {
                format!(" stroke-dasharray=\"{}\"", dash.join(" "))
            };
            format!(
                "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}/>",
                path(points),
                colour(stroke.colour),
                number(stroke.width),
            )
        }
        Shape::Area { points, fill, opacity } => {
            let opacity = if *opacity < 1.0 {
                format!(" fill-opacity=\"{}\"", number(*opacity))
            } else {
                String::new()
            };
            format!(
                "<polygon points=\"{}\" fill=\"{}\"{opacity}/>",
                path(points),
                colour(*fill)
            )
        }
        Shape::Box { frame, fill } => format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"/>",
            number(frame.left),
            number(frame.top),
            number(frame.width()),
            number(frame.height()),
            colour(*fill),
        ),
        Shape::Disc { centre, radius, fill } => format!(
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"/>",
            number(centre.0),
            number(centre.1),
            number(*radius),
            colour(*fill),
        ),
        Shape::Cells {
            frame,
            columns,
            rows,
            fills,
        } => cells(frame, *columns, *rows, fills),
        Shape::Text(text) => letters(text),
    }
}

fn letters(text: &Text) -> String {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    format!(
        "<text x=\"{}\" y=\"{}\" font-size=\"{}\" fill=\"{}\"{anchor}{}>{}</text>",
        number(text.at.0),
        number(text.at.1),
        number(text.size),
        colour(text.colour),
        if text.bold { " font-weight=\"bold\"" } else { "" },
        escape(&text.content),
    )
}

/// A raster as one path per colour, of the runs of equal cells in each row: small, and sharp at every size. Not an
/// embedded bitmap, because many sites that show an SVG refuse to load pictures within it.
fn cells(frame: &Frame, columns: usize, rows: usize, fills: &[Colour]) -> String {
    if columns == 0 || rows == 0 {
        return String::new();
    }
    let mut paths: BTreeMap<Colour, String> = BTreeMap::new();
    for (row, fills) in fills.chunks(columns).enumerate() {
        let mut column = 0;
        for run in fills.chunk_by(|a, b| a == b) {
            // `write!` to a string cannot fail.
            let _ = write!(
                paths.entry(run[0]).or_default(),
                "M{column} {row}h{}v1h-{}z",
                run.len(),
                run.len()
            );
            column += run.len();
        }
    }
    let mut group = format!(
        "<g transform=\"translate({} {}) scale({:.6} {:.6})\" shape-rendering=\"crispEdges\">",
        number(frame.left),
        number(frame.top),
        frame.width() / columns as f64,
        frame.height() / rows as f64,
    );
    for (fill, path) in paths {
        let _ = write!(group, "\n<path fill=\"{}\" d=\"{path}\"/>", colour(fill));
    }
    group.push_str("\n</g>");
    group
}

fn path(points: &[Point]) -> String {
    let pairs: Vec<String> = points
        .iter()
        .map(|&(x, y)| format!("{},{}", number(x), number(y)))
        .collect();
    pairs.join(" ")
}

fn colour(colour: Colour) -> String {
    format!("#{:06x}", colour.0)
}

/// At most two decimals, none that are zero.
fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_string()
    } else {
        text.to_string()
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
