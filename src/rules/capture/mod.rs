//! The capture: what it misses, truncates or duplicates.

use super::rule::rules;

rules! {
    "capture", "The capture", "what it could not see":
    capture_cut_short,
    capture_duplicated,
    capture_lost_packets,
    capture_one_sided,
}
