//! What is wanted of a picture, from the texts of parameters.

use crate::SIDE_OUT_MAX;

/// How a picture is fitted into a box; only matters when both sides are given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Fit {
    /// All of it within the box, never enlarged.
    #[default]
    Contain,
    /// The box is filled, the rest cut off.
    Cover,
    /// Stretched to the box.
    Fill,
}

/// A format that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// For pictures without transparency.
    Jpeg,
    /// For the others.
    Png,
}

/// What is wanted. Two wishes that give the same picture are equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Pixels, 1 to [`SIDE_OUT_MAX`].
    pub width: Option<u32>,
    /// Pixels, 1 to [`SIDE_OUT_MAX`].
    pub height: Option<u32>,
    /// Into the box of both.
    pub fit: Fit,
    /// None: what suits the picture.
    pub format: Option<Format>,
}

/// Why parameters make no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each variant's message says what it means")]
pub enum WantedError {
    #[error("w is no number from 1 to {SIDE_OUT_MAX}")]
    Width,
    #[error("h is no number from 1 to {SIDE_OUT_MAX}")]
    Height,
    #[error("fit is none of contain, cover and fill")]
    Fit,
    #[error("fm is none of jpg, jpeg, png and auto")]
    Format,
}

impl Wanted {
    /// Reads the parameters `w`, `h`, `fit` and `fm`. None when there is none of `w`, `h` and `fm`: `fit` alone means
    /// nothing, and may be an application's own.
    ///
    /// # Errors
    /// [`WantedError`] for the first that makes no sense.
    pub fn parse(
        w: Option<&str>,
        h: Option<&str>,
        fit: Option<&str>,
        fm: Option<&str>,
    ) -> Result<Option<Self>, WantedError> {
        if w.is_none() && h.is_none() && fm.is_none() {
            return Ok(None);
        }
        let width = w.map(|text| side(text).ok_or(WantedError::Width)).transpose()?;
        let height = h.map(|text| side(text).ok_or(WantedError::Height)).transpose()?;
        let fit = match fit {
            None | Some("contain") => Fit::Contain,
            Some("cover") => Fit::Cover,
            Some("fill") => Fit::Fill,
            Some(_) => return Err(WantedError::Fit),
        };
        let format = match fm {
            None | Some("auto") => None,
            Some("jpg" | "jpeg") => Some(Format::Jpeg),
            Some("png") => Some(Format::Png),
            Some(_) => return Err(WantedError::Format),
        };
        // One wish has one form, so that a cache keeps one picture of it.
        let fit = if width.is_some() && height.is_some() { fit } else { Fit::Contain };
        Ok(Some(Self { width, height, fit, format }))
    }
}

/// One text for one wish, for the keys of caches: `w=200&h=150&fit=cover&fm=png`.
impl std::fmt::Display for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let fit = match self.fit {
            Fit::Contain => "contain",
            Fit::Cover => "cover",
            Fit::Fill => "fill",
        };
        let format = match self.format {
            None => "auto",
            Some(Format::Jpeg) => "jpg",
            Some(Format::Png) => "png",
        };
        let (width, height) = (self.width.unwrap_or(0), self.height.unwrap_or(0));
        write!(f, "w={width}&h={height}&fit={fit}&fm={format}")
    }
}

impl Format {
    /// Its media type.
    pub fn mime(self) -> &'static str {
        match self {
            Format::Jpeg => "image/jpeg",
            Format::Png => "image/png",
        }
    }
}

fn side(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|side| (1..=SIDE_OUT_MAX).contains(side))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(w: &str, h: &str, fit: &str, fm: &str) -> Result<Option<Wanted>, WantedError> {
        let given = |text: &'static str| (text != "-").then_some(text);
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        Wanted::parse(given(leak(w)), given(leak(h)), given(leak(fit)), given(leak(fm)))
    }

    #[test]
    fn parameters_are_read_or_refused_by_name() {
        let want = |width, height, fit, format| Ok(Some(Wanted { width, height, fit, format }));
        for (w, h, fit, fm, expected) in [
            ("200", "-", "-", "-", want(Some(200), None, Fit::Contain, None)),
            ("-", "150", "-", "-", want(None, Some(150), Fit::Contain, None)),
            ("1", "4096", "cover", "png", want(Some(1), Some(4096), Fit::Cover, Some(Format::Png))),
            ("0200", "7", "fill", "jpg", want(Some(200), Some(7), Fit::Fill, Some(Format::Jpeg))),
            ("2", "2", "contain", "jpeg", want(Some(2), Some(2), Fit::Contain, Some(Format::Jpeg))),
            ("-", "-", "-", "auto", want(None, None, Fit::Contain, None)),
            // The fit of one side is no other wish.
            ("200", "-", "cover", "-", want(Some(200), None, Fit::Contain, None)),
            ("-", "-", "-", "-", Ok(None)),
            ("-", "-", "whatever", "-", Ok(None)),
            ("0", "-", "-", "-", Err(WantedError::Width)),
            ("4097", "-", "-", "-", Err(WantedError::Width)),
            ("", "-", "-", "-", Err(WantedError::Width)),
            ("+5", "-", "-", "-", Err(WantedError::Width)),
            ("-5", "-", "-", "-", Err(WantedError::Width)),
            ("5.0", "-", "-", "-", Err(WantedError::Width)),
            ("99999999999", "-", "-", "-", Err(WantedError::Width)),
            ("5", "x", "-", "-", Err(WantedError::Height)),
            ("5", "5", "Cover", "-", Err(WantedError::Fit)),
            ("5", "-", "crop", "-", Err(WantedError::Fit)),
            ("-", "-", "-", "webp", Err(WantedError::Format)),
            ("-", "-", "-", "", Err(WantedError::Format)),
        ] {
            assert_eq!(parse(w, h, fit, fm), expected, "w={w} h={h} fit={fit} fm={fm}");
        }
    }

    #[test]
    fn a_wish_has_one_text() {
        let text = |w, h, fit, fm| parse(w, h, fit, fm).unwrap().unwrap().to_string();
        assert_eq!(text("0200", "-", "cover", "jpeg"), "w=200&h=0&fit=contain&fm=jpg");
        assert_eq!(text("200", "150", "cover", "-"), "w=200&h=150&fit=cover&fm=auto");
        assert_eq!(text("-", "9", "-", "png"), "w=0&h=9&fit=contain&fm=png");
        assert_eq!(text("3", "9", "fill", "png"), "w=3&h=9&fit=fill&fm=png");
    }
}
