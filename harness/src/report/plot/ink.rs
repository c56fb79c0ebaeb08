//! Colours as roles. plotters knows colours only, so a role is drawn as a number and becomes a custom property afterwards.

use std::fmt::Write as _;

use plotters::style::RGBColor;

/// What a colour stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Ink {
    /// Words and the baseline.
    Text,
    /// Axis labels.
    Faint,
    /// Grid lines.
    Grid,
    /// Where the baseline's own repetition lies.
    Band,
    /// The baseline's launches behind another case's.
    Context,
    /// Longer than the baseline.
    Slower,
    /// Shorter than the baseline.
    Faster,
    /// Neither longer nor shorter by what matters, or not known.
    Same,
    /// No figure.
    Failed,
    /// A case, by its place among [`SERIES`].
    Series(u8),
}

/// Cases that can be told apart in one panel, beside the baseline.
pub(in crate::report) const SERIES: usize = 6;

/// Name of the custom property, colour on light, colour on dark.
type Row = (Ink, &'static str, &'static str, &'static str);

// The series' hues were searched for: they stay apart (OKLab) for protanopia, deuteranopia and tritanopia, and stand out
// from the paper by 3 to 1. The tests hold them to it.
const ROWS: [Row; 9 + SERIES] = [
    (Ink::Text, "text", "#1d1f23", "#e7e8ea"),
    (Ink::Faint, "faint", "#5b6069", "#a3a8b1"),
    (Ink::Grid, "grid", "#e1e4e8", "#33373d"),
    (Ink::Band, "band", "#e3e6ea", "#3b4049"),
    (Ink::Context, "context", "#b9bfc8", "#565c66"),
    (Ink::Slower, "slower", "#b13b0e", "#f4763f"),
    (Ink::Faster, "faster", "#1f5fd0", "#6ea2ff"),
    (Ink::Same, "same", "#767c86", "#9198a3"),
    (Ink::Failed, "failed", "#a0174f", "#ff7aa8"),
    (Ink::Series(0), "series-0", "#1594be", "#11c1eb"),
    (Ink::Series(1), "series-1", "#3153d9", "#5086fe"),
    (Ink::Series(2), "series-2", "#b13b0e", "#ee4b1e"),
    (Ink::Series(3), "series-3", "#31896f", "#30b78c"),
    (Ink::Series(4), "series-4", "#a02d97", "#ce53c0"),
    (Ink::Series(5), "series-5", "#9b871c", "#d4a808"),
];

/// Which colours to write out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report) enum Theme {
    Light,
    Dark,
}

/// The custom properties of a theme, as declarations.
pub(in crate::report) fn properties(theme: Theme) -> String {
    ROWS.iter().fold(String::new(), |mut css, (_, name, light, dark)| {
        let colour = if theme == Theme::Light { light } else { dark };
        write!(css, "--{name}:{colour};").unwrap_or_else(|error| unreachable!("a string takes all text: {error}"));
        css
    })
}

impl Ink {
    /// The number that plotters draws with.
    pub(super) fn colour(self) -> RGBColor {
        let place = ROWS.iter().position(|row| row.0 == self);
        let place = place.unwrap_or_else(|| unreachable!("every ink has a row"));
        RGBColor(0, 0, u8::try_from(place).unwrap_or(u8::MAX))
    }

    /// The custom property for a colour that plotters wrote, `#0000NN`.
    pub(super) fn property(colour: &str) -> Option<&'static str> {
        let place = usize::from_str_radix(colour.strip_prefix('#')?, 16).ok()?;
        ROWS.get(place).map(|row| row.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Triple = [f64; 3];

    /// Linear light of an sRGB colour.
    fn linear(colour: &str) -> Triple {
        [1, 3, 5].map(|at| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        })
    }

    fn product(matrix: &[Triple; 3], of: Triple) -> Triple {
        matrix.map(|row| row.iter().zip(of).map(|(a, b)| a * b).sum())
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour| product(&[[0.2126, 0.7152, 0.0722]; 3], linear(colour))[0] + 0.05;
        let (a, b) = (luminance(a), luminance(b));
        a.max(b) / a.min(b)
    }

    /// OKLab, by Ottosson's matrices.
    fn oklab(light: Triple) -> Triple {
        let cones = [
            [0.412_221_470_8, 0.536_332_536_3, 0.051_445_992_9],
            [0.211_903_498_2, 0.680_699_545_1, 0.107_396_956_6],
            [0.088_302_461_9, 0.281_718_837_6, 0.629_978_700_5],
        ];
        let opponents = [
            [0.210_454_255_3, 0.793_617_785, -0.004_072_046_8],
            [1.977_998_495_1, -2.428_592_205, 0.450_593_709_9],
            [0.025_904_037_1, 0.782_771_766_2, -0.808_675_766],
        ];
        product(&opponents, product(&cones, light).map(f64::cbrt))
    }

    /// Complete protanopia, deuteranopia and tritanopia, by Machado, Oliveira and Fernandes (2009); first, none.
    const EYES: [[Triple; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ];

    fn distance(eye: &[Triple; 3], a: &str, b: &str) -> f64 {
        let seen = |colour| oklab(product(eye, linear(colour)).map(|light| light.clamp(0.0, 1.0)));
        seen(a).iter().zip(seen(b)).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn every_ink_comes_back_as_its_property() {
        for (ink, name, ..) in ROWS {
            let RGBColor(red, green, blue) = ink.colour();
            assert_eq!(Ink::property(&format!("#{red:02X}{green:02X}{blue:02X}")), Some(name));
        }
        assert_eq!(Ink::property("#FFFFFF"), None);
    }

    #[test]
    fn series_and_verdicts_are_told_apart_by_every_eye() {
        let lines = |ink: Ink| matches!(ink, Ink::Text | Ink::Series(_));
        let verdicts = |ink: Ink| matches!(ink, Ink::Slower | Ink::Faster | Ink::Same);
        for side in [|row: Row| row.2, |row: Row| row.3] {
            for group in [&lines as &dyn Fn(Ink) -> bool, &verdicts] {
                let colours: Vec<Row> = ROWS.into_iter().filter(|row| group(row.0)).collect();
                for (place, a) in colours.iter().enumerate() {
                    for (b, eye) in colours[..place].iter().flat_map(|b| EYES.iter().map(move |eye| (b, eye))) {
                        let apart = distance(eye, side(*a), side(*b));
                        assert!(apart > 0.069, "{} and {}: {apart:.3}", a.1, b.1);
                    }
                }
            }
        }
    }

    #[test]
    fn lines_stand_out_and_words_can_be_read() {
        for (ink, name, light, dark) in ROWS {
            let least = match ink {
                Ink::Text | Ink::Faint | Ink::Slower | Ink::Faster | Ink::Failed => 4.5,
                Ink::Same | Ink::Series(_) => 3.0,
                Ink::Context => 1.5,
                Ink::Grid | Ink::Band => 1.0,
            };
            let papers = [(light, "#ffffff"), (dark, "#17191c")];
            for (colour, paper) in papers {
                assert!(contrast(colour, paper) >= least, "{name} on {paper}: {:.2}", contrast(colour, paper));
            }
        }
    }
}
