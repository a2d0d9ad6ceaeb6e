//! Sequence numbers: the only wrapping arithmetic of the program (RFC 9293 §3.4).
//!
//! A [`Seq`] deliberately has no `Ord` and no subtraction operator. In a space that wraps, "less than" is defined only
//! for two numbers at most 2³¹ − 1 apart, so comparisons are named methods.

/// A 32-bit TCP sequence or acknowledgement number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seq(pub u32);

impl Seq {
    /// The number `count` after this one.
    #[must_use]
    pub const fn add(self, count: u32) -> Self {
        Self(self.0.wrapping_add(count))
    }

    /// The number `count` before this one.
    #[must_use]
    pub const fn back(self, count: u32) -> Self {
        Self(self.0.wrapping_sub(count))
    }

    /// The signed distance from `base` to this number; negative if this number comes before `base`. Meaningful within
    /// ±2³¹.
    #[must_use]
    pub const fn from(self, base: Self) -> i32 {
        self.0.wrapping_sub(base.0) as i32
    }

    /// Whether this number comes before `other`.
    #[must_use]
    pub const fn before(self, other: Self) -> bool {
        self.from(other) < 0
    }

    /// Whether this number comes after `other`.
    #[must_use]
    pub const fn after(self, other: Self) -> bool {
        self.from(other) > 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn distance_undoes_addition(base: u32, step in 0..=i32::MAX as u32) {
            let base = Seq(base);
            prop_assert_eq!(base.add(step).from(base), step as i32);
            prop_assert_eq!(base.add(step).back(step), base);
            prop_assert_eq!(base.before(base.add(step)), step > 0);
            prop_assert_eq!(base.add(step).after(base), step > 0);
        }
    }
}
