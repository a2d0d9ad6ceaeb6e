//! The two ends of a flow, named before it is known which one is the client.

/// One end of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlowEnd {
    /// The sender of the first segment seen.
    A,
    /// The other end.
    B,
}

impl FlowEnd {
    /// Both ends, in the order of [`FlowEnd::index`].
    pub const BOTH: [Self; 2] = [Self::A, Self::B];

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for `A`, 1 for `B`.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// This end's of a pair in the order of [`FlowEnd::BOTH`].
    #[inline]
    #[must_use]
    pub const fn of<T>(self, pair: &[T; 2]) -> &T {
        let [a, b] = pair;
        match self {
            Self::A => a,
            Self::B => b,
        }
    }

    /// The same, to be changed.
    #[inline]
    #[must_use]
    pub(crate) const fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [a, b] = pair;
        match self {
            Self::A => a,
            Self::B => b,
        }
    }
}
