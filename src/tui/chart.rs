//! Bars and column charts made of block characters.

use crate::report::rich_text::Tone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::Look;

/// One segment of a bar.
#[derive(Clone, Copy, Debug)]
pub(super) struct BarPart {
    pub(super) count: u64,
    pub(super) tone: Tone,
    /// Index of its pattern in [`super::Glyphs::fills`].
    pub(super) fill: usize,
}

/// Divides `cells` in proportion to `counts`. The shares add up to `cells`, and every non-zero count gets a cell as
/// long as there are enough.
pub(super) fn shares(counts: &[u64], cells: u64) -> Vec<u64> {
    let total: u64 = counts.iter().sum();
    if total == 0 {
        return vec![0; counts.len()];
    }
    let share = |count: u64| u128::from(count) * u128::from(cells);
    let mut shares: Vec<u64> = counts
        .iter()
        .map(|count| (share(*count) / u128::from(total)) as u64)
        .collect();
    for (share, count) in shares.iter_mut().zip(counts) {
        if *count > 0 {
            *share = (*share).max(1);
        }
    }
    // The rounding difference goes to the largest share.
    let largest = (0..counts.len())
        .max_by_key(|nth| counts[*nth])
        .unwrap_or(0);
    let sum: u64 = shares.iter().sum();
    if sum <= cells {
        shares[largest] += cells - sum;
    } else {
        shares[largest] = shares[largest].saturating_sub(sum - cells);
    }
    shares
}

/// Draws a bar whose parts add up to the width of `area`.
pub(super) fn bar(parts: &[BarPart], look: &Look, area: Rect, buffer: &mut Buffer) {
    let counts: Vec<u64> = parts.iter().map(|part| part.count).collect();
    let mut x = area.x;
    for (part, cells) in parts.iter().zip(shares(&counts, u64::from(area.width))) {
        let style = look.theme.style(part.tone);
        for _ in 0..cells {
            if x < area.right() {
                for y in area.top()..area.bottom() {
                    buffer.set_stringn(x, y, look.glyphs.fills[part.fill], 1, style);
                }
            }
            x = x.saturating_add(1);
        }
    }
}

/// Resamples a time series to `columns` values: each is the sum of the steps in it, or their maximum if `highest`.
pub(super) fn fit(values: &[u64], columns: usize, highest: bool) -> Vec<u64> {
    if values.is_empty() || columns == 0 {
        return Vec::new();
    }
    (0..columns)
        .map(|column| {
            let from = column * values.len() / columns;
            let to = ((column + 1) * values.len() / columns).max(from + 1);
            let within = values[from..to.min(values.len())].iter().copied();
            if highest {
                within.max().unwrap_or(0)
            } else {
                within.sum()
            }
        })
        .collect()
}

/// Draws a column chart; `ceiling` is the value at the top of `area`. A non-zero value is at least an eighth of a cell
/// high.
pub(super) fn columns(
    values: &[u64],
    ceiling: u64,
    tone: Tone,
    look: &Look,
    area: Rect,
    buffer: &mut Buffer,
) {
    let style = look.theme.style(tone);
    let height = u64::from(area.height) * 8;
    for (value, x) in values.iter().zip(area.left()..area.right()) {
        if *value == 0 || ceiling == 0 {
            continue;
        }
        let eighths = u128::from((*value).min(ceiling)) * u128::from(height);
        let eighths = ((eighths / u128::from(ceiling)) as u64).max(1);
        for (nth, y) in (0u64..).zip((area.top()..area.bottom()).rev()) {
            let here = eighths.saturating_sub(nth * 8).min(8);
            if here > 0 {
                let sign = look.glyphs.levels[here as usize - 1];
                buffer.set_stringn(x, y, sign, 1, style);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_and_hide_nothing() {
        assert_eq!(shares(&[299_999, 1], 10), [9, 1]);
        assert_eq!(shares(&[1, 1, 1], 10), [3, 3, 4]);
        assert_eq!(shares(&[0, 0], 10), [0, 0]);
        assert_eq!(shares(&[5, 0, 5], 4), [2, 0, 2]);
        assert_eq!(shares(&[u64::MAX / 2, 1], 80).iter().sum::<u64>(), 80);
    }

    #[test]
    fn steps_fit_into_columns() {
        assert_eq!(fit(&[1, 2, 3, 4], 2, false), [3, 7]);
        assert_eq!(fit(&[1, 2, 3, 4], 2, true), [2, 4]);
        assert_eq!(fit(&[1, 2], 4, true), [1, 1, 2, 2]);
        assert_eq!(fit(&[], 4, true), [0; 0]);
    }
}
