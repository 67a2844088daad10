//! The icon, drawn here: the three layers of the console's icon, and a mark of its own shape for what somebody should see.

/// Width, height, and pixels as the StatusNotifierItem specification has them: alpha, red, green, blue.
pub type Pixmap = (i32, i32, Vec<u8>);

/// Panels scale what does not fit.
const SIZES: [u16; 3] = [22, 32, 48];
/// The side of the drawing.
const UNITS: f32 = 24.0;

const CLEAR: [u8; 4] = [0, 0, 0, 0];
const WHITE: [u8; 4] = [255, 255, 255, 255];
const GREEN: [u8; 4] = [255, 0x2e, 0x8b, 0x57];
const GREY: [u8; 4] = [255, 0x60, 0x60, 0x60];
const RED: [u8; 4] = [255, 0xc6, 0x28, 0x28];
/// Top and bottom of each layer.
const LAYERS: [(f32, f32, [u8; 4]); 3] = [
    (3.0, 8.0, [255, 0x25, 0x63, 0xc9]),
    (9.5, 14.5, [255, 0x4f, 0x8a, 0xe0]),
    (16.0, 21.0, [255, 0x8b, 0xb4, 0xee]),
];

/// What is shown in the corner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Badge {
    None,
    /// A disc.
    Running,
    /// Two bars.
    Paused,
    /// A triangle.
    Attention,
}

pub fn icon(badge: Badge) -> Vec<Pixmap> {
    let draw = |size: u16| {
        let at = |pixel: u16| (f32::from(pixel) + 0.5) * UNITS / f32::from(size);
        let rows = (0..size).flat_map(|y| (0..size).flat_map(move |x| colour(badge, at(x), at(y))));
        (i32::from(size), i32::from(size), rows.collect())
    };
    SIZES.map(draw).to_vec()
}

fn colour(badge: Badge, x: f32, y: f32) -> [u8; 4] {
    // From the middle of the badge.
    let (dx, dy) = (x - 17.0, y - 17.0);
    let far = dx.hypot(dy);
    let mark = match badge {
        Badge::None => None,
        Badge::Running => match far {
            ..5.5 => Some(GREEN),
            ..7.0 => Some(WHITE),
            _ => None,
        },
        Badge::Paused => match (dx.abs(), dy.abs()) {
            (1.2..4.2, ..5.5) => Some(GREY),
            (..5.7, ..7.0) => Some(WHITE),
            _ => None,
        },
        Badge::Attention => {
            // Half its width at this height.
            let width = (dy + 6.5) / 2.0;
            match (dx.abs() - width, dy) {
                (..0.0, -6.5..5.0) => Some(RED),
                (..1.5, -7.0..6.5) => Some(WHITE),
                _ => None,
            }
        }
    };
    mark.unwrap_or_else(|| {
        let layer = LAYERS
            .iter()
            .find(|(top, bottom, _)| (2.0..22.0).contains(&x) && (*top..*bottom).contains(&y));
        layer.map_or(CLEAR, |(.., colour)| *colour)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_looks_different() {
        let all = [Badge::None, Badge::Running, Badge::Paused, Badge::Attention].map(icon);
        for (nr, drawn) in all.iter().enumerate() {
            for (width, height, pixels) in drawn {
                assert_eq!(pixels.len(), usize::try_from(width * height * 4).unwrap());
                assert_eq!(pixels[..4], CLEAR, "the corner is clear");
                // Not by its colours alone.
                let shape = |pixels: &[u8]| pixels.chunks(4).map(|p| p == WHITE).collect::<Vec<_>>();
                for other in &all[..nr] {
                    let other = other.iter().find(|(size, ..)| size == width).unwrap();
                    assert_ne!(shape(pixels), shape(&other.2));
                }
            }
        }
    }
}
