//! Stands in for the rules.

pub(super) mod rules {
    use crate::connection::Connection;
    use crate::hosts::Sockets;
    use crate::rules::Finding;

    pub(crate) fn evaluate(_: &[Connection], _: &[Sockets]) -> Vec<Finding> {
        Vec::new()
    }
    pub(crate) fn page(_: &str) -> Option<&'static str> {
        None
    }
}
