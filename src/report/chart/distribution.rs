//! Distributions over whole numbers, one panel each, above each other.

use super::axis::{self, Axis};
use super::number::{self, drawable};
use super::page::{MARGIN, Page, WIDTH};
use super::picture::{Anchor, Frame, Picture, Stroke};
use super::plot::{self, Plot};
use super::style::{self, Look};
use super::text::Pen;
use super::{ChartError, Drawing, SERIES_MAX, at_most};

/// How often which whole number occurs, for instance how many nodes run how many containers: one panel per
/// strategy, with a common horizontal axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// What the picture shows.
    pub title: String,
    /// Below the title. May be empty.
    pub subtitle: String,
    /// What the whole numbers count, as in `containers per node`.
    pub x_label: String,
    /// What the bars count, as in `nodes`; they are drawn in per cent of the total.
    pub counted: String,
    /// One per strategy.
    pub histograms: Vec<Histogram>,
}

/// The distribution of one strategy.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Its heading.
    pub name: String,
    /// Pairs of a number and how often it occurs, which may be a mean over several runs and so a fraction.
    pub counts: Vec<(u64, f64)>,
    /// The mean, which is marked.
    pub mean: Option<f64>,
}

/// Most bars in a panel; if there are more different numbers, neighbours share a bar.
const BARS_MAX: u64 = 80;
/// Height of a panel.
const PANEL_HEIGHT: f64 = 92.0;

/// Equal bins of whole numbers.
#[derive(Clone, Copy)]
struct Bins {
    first: u64,
    width: u64,
    count: usize,
}

impl Distribution {
    /// Draws the chart.
    pub fn draw(&self) -> Result<Drawing, ChartError> {
        at_most(SERIES_MAX, self.histograms.len(), "series")?;
        let bins = self.bins();
        let shares: Vec<Vec<f64>> = self
            .histograms
            .iter()
            .map(|histogram| histogram.shares(&bins))
            .collect();
        let highest: Vec<f64> = shares
            .iter()
            .map(|shares| shares.iter().copied().fold(0.0, f64::max))
            .collect();
        let most = highest.iter().copied().fold(0.0, f64::max);
        // A flat distribution beside a narrow one would vanish on a common scale.
        let common = highest.iter().all(|&high| high == 0.0 || high * 5.0 >= most);

        let ys: Vec<Axis> = highest
            .iter()
            .map(|&high| y_axis(if common { most } else { high }))
            .collect();
        let x = self.x_axis(&bins);

        let mut page = Page::new(WIDTH, &self.title, &self.subtitle);
        page.y += Pen::LABEL.size;
        let label = Pen::LABEL.fit(&self.y_label(&bins, common), WIDTH - 2.0 * MARGIN);
        Pen::LABEL.write(&mut page.picture, (MARGIN, page.y), Anchor::Start, &label);
        let left = MARGIN + ys.iter().map(plot::y_labels_width).fold(0.0, f64::max);
        let last = self.histograms.len().saturating_sub(1);
        for (i, (histogram, y)) in self.histograms.iter().zip(ys).enumerate() {
            let top = page.y + 32.0;
            let frame = Frame {
                left,
                top,
                right: WIDTH - MARGIN - 8.0,
                bottom: top + PANEL_HEIGHT,
            };
            let plot = Plot { frame, x: x.clone(), y };
            plot.rows(&mut page.picture);
            plot.y_labels(&mut page.picture);
            histogram.draw(&mut page.picture, &plot, &bins, &shares[i], &Look::of(i));
            plot.base(&mut page.picture, i == last);
            if i == last {
                plot.x_labels(&mut page.picture, &self.x_label);
            }
            page.y = frame.bottom + if i == last { plot::X_AXIS_HEIGHT } else { 0.0 };
        }
        page.render()
    }

    fn y_label(&self, bins: &Bins, common: bool) -> String {
        let scales = if common { "" } else { "; the scales differ" };
        let width = match bins.width {
            1 => String::new(),
            width => format!(", in bins of {}", number::humane(width as f64)),
        };
        format!("share of {} (%{scales}){width}", self.counted)
    }

    fn x_axis(&self, bins: &Bins) -> Axis {
        let means = self.histograms.iter().filter_map(|histogram| histogram.mean);
        let ends = [bins.edge(0), bins.edge(bins.count)];
        Axis::whole(axis::range(means.chain(ends)).unwrap_or((0.0, 1.0)), 12.0)
    }

    fn bins(&self) -> Bins {
        let counts = self.histograms.iter().flat_map(|histogram| &histogram.counts);
        let occurring = counts
            .filter(|&&(_, count)| count > 0.0 && drawable(count))
            .map(|&(number, _)| number);
        let (low, high) = occurring.fold((u64::MAX, 0), |(low, high), number| (low.min(number), high.max(number)));
        let (low, high) = if low > high { (0, 9) } else { (low, high) };
        // Zero belongs on the axis unless everything is far from it.
        let low = if low <= high / 2 { 0 } else { low };
        let span = high - low;
        let mut widths = (0..20).flat_map(|power| [1_u64, 2, 5].map(|factor| factor.saturating_mul(10_u64.pow(power))));
        let width = widths.find(|width| span / width < BARS_MAX).unwrap_or(u64::MAX);
        let first = low / width * width;
        Bins {
            first,
            width,
            count: ((high - first) / width + 1) as usize,
        }
    }
}

impl Bins {
    /// Where a bin begins on the axis: half a unit before its first number, which so stands in its middle.
    fn edge(&self, bin: usize) -> f64 {
        self.first as f64 + bin as f64 * self.width as f64 - 0.5
    }
}

fn y_axis(highest: f64) -> Axis {
    let range = (highest > 0.0).then_some((0.0, highest * 100.0));
    Axis::linear(axis::from_zero(range), 5.0)
}

impl Histogram {
    /// The share of each bin in the total.
    fn shares(&self, bins: &Bins) -> Vec<f64> {
        let mut shares = vec![0.0; bins.count];
        for &(number, count) in self.counts.iter().filter(|&&(_, count)| count > 0.0 && drawable(count)) {
            shares[((number - bins.first) / bins.width) as usize] += count;
        }
        let total: f64 = shares.iter().sum();
        if total > 0.0 {
            shares.iter_mut().for_each(|share| *share /= total);
        }
        shares
    }

    fn draw(&self, picture: &mut Picture, plot: &Plot, bins: &Bins, shares: &[f64], look: &Look) {
        let frame = plot.frame;
        let mean = self.mean.filter(|&mean| drawable(mean));
        let remark = mean
            .map(|mean| format!("mean {}", number::humane(mean)))
            .unwrap_or_default();
        let baseline = frame.top - 9.0;
        Pen::LABEL.write(picture, (frame.right, baseline), Anchor::End, &remark);
        let name = Pen::HEADING.fit(&self.name, frame.width() - Pen::LABEL.width(&remark) - 60.0);
        let swatch = Frame {
            left: frame.left,
            top: baseline - 10.0,
            right: frame.left + 14.0,
            bottom: baseline + 1.0,
        };
        style::fill(
            picture,
            swatch,
            &Look {
                hatch: style::Hatch::None,
                ..*look
            },
        );
        Pen::HEADING.write(picture, (frame.left + 21.0, baseline), Anchor::Start, &name);
        if shares.iter().all(|&share| share == 0.0) {
            plot.remark(picture, "no data");
            return;
        }

        let edge = |bin: usize| plot.x_at(bins.edge(bin));
        let gap = if edge(1) - edge(0) > 6.0 { 1.0 } else { 0.0 };
        for (bin, &share) in shares.iter().enumerate().filter(|&(_, &share)| share > 0.0) {
            // A bar that is lower than a pixel would be taken for none.
            let top = plot.y_at(share * 100.0).min(frame.bottom - 1.0);
            picture.fill(
                Frame {
                    left: edge(bin) + gap,
                    top,
                    right: edge(bin + 1) - gap,
                    bottom: frame.bottom,
                },
                look.colour,
            );
        }
        if let Some(mean) = mean {
            let x = plot.x_at(mean);
            picture.line(
                vec![(x, frame.top), (x, frame.bottom)],
                Stroke {
                    colour: style::INK,
                    width: 1.4,
                    dash: &[4.0, 3.0],
                },
            );
            picture.area(
                vec![
                    (x - 5.0, frame.top - 4.0),
                    (x + 5.0, frame.top - 4.0),
                    (x, frame.top + 4.0),
                ],
                style::INK,
                1.0,
            );
        }
    }
}
