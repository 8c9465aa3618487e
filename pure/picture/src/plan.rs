//! Which part of a picture becomes which size, worked out in whole pixels.

use crate::wanted::{Fit, Wanted};
use crate::{SIDE_MAX, SIDE_OUT_MAX};

/// A part of a picture, pixels, from its upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// From the left.
    pub x: u32,
    /// From above.
    pub y: u32,
    /// At least one.
    pub width: u32,
    /// At least one.
    pub height: u32,
}

/// What is made of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// The part that is taken, within the picture.
    pub crop: Crop,
    /// Width of what comes out, pixels, at least one.
    pub width: u32,
    /// Height of what comes out, pixels, at least one.
    pub height: u32,
}

/// The plan for a picture as it is shown (after its orientation): `width` and `height` are at least 1 and at most
/// [`SIDE_MAX`], which they are cut to.
pub fn plan(width: u32, height: u32, wanted: &Wanted) -> Plan {
    let (width, height) = (width.clamp(1, SIDE_MAX), height.clamp(1, SIDE_MAX));
    let bound = |side: Option<u32>| side.unwrap_or(SIDE_OUT_MAX).clamp(1, SIDE_OUT_MAX);
    let (box_width, box_height) = (bound(wanted.width), bound(wanted.height));
    let fit = if wanted.width.is_some() && wanted.height.is_some() { wanted.fit } else { Fit::Contain };
    let whole = Crop { x: 0, y: 0, width, height };
    // No product overflows: both factors are at most SIDE_MAX, 2^14.
    let wider = width * box_height > height * box_width;
    match fit {
        Fit::Fill => Plan { crop: whole, width: box_width, height: box_height },
        Fit::Contain if width <= box_width && height <= box_height => Plan { crop: whole, width, height },
        Fit::Contain if wider => {
            Plan { crop: whole, width: box_width, height: part(height, box_width, width) }
        }
        Fit::Contain => Plan { crop: whole, width: part(width, box_height, height), height: box_height },
        Fit::Cover => {
            let (crop_width, crop_height) = if wider {
                (part(height, box_width, box_height).min(width), height)
            } else {
                (width, part(width, box_height, box_width).min(height))
            };
            let crop = Crop {
                x: (width - crop_width) / 2,
                y: (height - crop_height) / 2,
                width: crop_width,
                height: crop_height,
            };
            // The side that is not cut says whether the box is larger than the picture: the other one is rounded.
            let larger = if wider { height < box_height } else { width < box_width };
            let (width, height) = if larger { (crop_width, crop_height) } else { (box_width, box_height) };
            Plan { crop, width, height }
        }
    }
}

impl Plan {
    /// The same for a picture that lies on its side.
    pub(crate) fn turned(self) -> Self {
        let Crop { x, y, width, height } = self.crop;
        let crop = Crop { x: y, y: x, width: height, height: width };
        Self { crop, width: self.height, height: self.width }
    }
}

/// `side * by / of`, rounded, at least 1.
fn part(side: u32, by: u32, of: u32) -> u32 {
    ((side * by + of / 2) / of).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{
        ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest,
    };

    fn wanted(width: u32, height: u32, fit: Fit) -> Wanted {
        let given = |side: u32| (side > 0).then_some(side);
        Wanted { width: given(width), height: given(height), fit, format: None }
    }

    #[test]
    fn the_plan_is_the_table_s() {
        let (contain, cover, fill) = (Fit::Contain, Fit::Cover, Fit::Fill);
        // The picture, the wish (0: not given), the part (x, y, width, height), what comes out.
        for (picture, wish, fit, crop, out) in [
            ((4000, 3000), (200, 150), contain, (0, 0, 4000, 3000), (200, 150)),
            ((4000, 3000), (200, 200), contain, (0, 0, 4000, 3000), (200, 150)),
            ((3000, 4000), (200, 200), contain, (0, 0, 3000, 4000), (150, 200)),
            ((4000, 3000), (200, 0), contain, (0, 0, 4000, 3000), (200, 150)),
            ((4000, 3000), (0, 150), contain, (0, 0, 4000, 3000), (200, 150)),
            ((1000, 333), (100, 0), contain, (0, 0, 1000, 333), (100, 33)),
            ((1000, 335), (100, 0), contain, (0, 0, 1000, 335), (100, 34)),
            // Never enlarged.
            ((40, 30), (200, 150), contain, (0, 0, 40, 30), (40, 30)),
            ((40, 30), (200, 0), contain, (0, 0, 40, 30), (40, 30)),
            ((40, 30), (200, 15), contain, (0, 0, 40, 30), (20, 15)),
            // Never nothing.
            ((16384, 1), (100, 100), contain, (0, 0, 16384, 1), (100, 1)),
            ((1, 16384), (100, 0), contain, (0, 0, 1, 16384), (1, 4096)),
            // Only a format: the size stays, within what is made at all.
            ((640, 480), (0, 0), contain, (0, 0, 640, 480), (640, 480)),
            ((8192, 4096), (0, 0), contain, (0, 0, 8192, 4096), (4096, 2048)),
            // One side keeps proportions, whatever the fit.
            ((4000, 3000), (200, 0), cover, (0, 0, 4000, 3000), (200, 150)),
            ((4000, 3000), (0, 150), fill, (0, 0, 4000, 3000), (200, 150)),
            ((4000, 3000), (200, 200), cover, (500, 0, 3000, 3000), (200, 200)),
            ((3000, 4000), (200, 200), cover, (0, 500, 3000, 3000), (200, 200)),
            ((4000, 3000), (200, 150), cover, (0, 0, 4000, 3000), (200, 150)),
            ((4000, 3000), (400, 100), cover, (0, 1000, 4000, 1000), (400, 100)),
            ((4001, 3000), (200, 200), cover, (500, 0, 3000, 3000), (200, 200)),
            // Smaller than the box: the largest of these proportions.
            ((100, 100), (200, 100), cover, (0, 25, 100, 50), (100, 50)),
            ((100, 50), (200, 200), cover, (25, 0, 50, 50), (50, 50)),
            ((300, 100), (200, 200), cover, (100, 0, 100, 100), (100, 100)),
            ((200, 100), (200, 150), cover, (33, 0, 133, 100), (133, 100)),
            ((3, 3), (3, 2), cover, (0, 0, 3, 2), (3, 2)),
            ((16384, 1), (1, 4096), cover, (8191, 0, 1, 1), (1, 1)),
            ((4000, 3000), (200, 200), fill, (0, 0, 4000, 3000), (200, 200)),
            ((10, 10), (200, 100), fill, (0, 0, 10, 10), (200, 100)),
        ] {
            let (x, y, width, height) = crop;
            let expected = Plan { crop: Crop { x, y, width, height }, width: out.0, height: out.1 };
            let plan = plan(picture.0, picture.1, &wanted(wish.0, wish.1, fit));
            assert_eq!(plan, expected, "{picture:?} {wish:?} {fit:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn a_plan_stays_within_the_picture_and_the_box(
            width in prop_oneof![1u32..=SIDE_MAX, 1u32..20],
            height in prop_oneof![1u32..=SIDE_MAX, 1u32..20],
            w in prop_oneof![0u32..=SIDE_OUT_MAX, 0u32..20],
            h in prop_oneof![0u32..=SIDE_OUT_MAX, 0u32..20],
            fit in any::<u8>().prop_map(|n| [Fit::Contain, Fit::Cover, Fit::Fill][usize::from(n % 3)]),
        ) {
            let wish = wanted(w, h, fit);
            let plan = plan(width, height, &wish);
            prop_assert!(plan.crop.width >= 1 && plan.crop.x + plan.crop.width <= width);
            prop_assert!(plan.crop.height >= 1 && plan.crop.y + plan.crop.height <= height);
            prop_assert!((1..=wish.width.unwrap_or(SIDE_OUT_MAX)).contains(&plan.width));
            prop_assert!((1..=wish.height.unwrap_or(SIDE_OUT_MAX)).contains(&plan.height));
            let fills = fit == Fit::Fill && w > 0 && h > 0;
            prop_assert!(fills || plan.width <= plan.crop.width && plan.height <= plan.crop.height);
            prop_assert_eq!(plan.turned().turned(), plan);
        }
    }
}
