//! The table of the protocols that are recognised.

use super::grammar::{Messages, Opening, Rest, Side, Step};
use super::{fastcgi, kafka, ldap, memcached, mongodb, mysql, postgresql, redis, smtp};

/// Lists the protocols: the name in the code, the module, the name for people. The order is that in which they are tried.
macro_rules! grammars {
    ($($name:ident $module:ident $words:literal),+ $(,)?) => {
        /// An application protocol that is recognised by its content.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "they are their names")]
        pub enum AppProtocol { $($name),+ }

        impl AppProtocol {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The name in texts.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $words),+ }
            }

            /// The name in JSON and filters: lower case, one word.
            #[must_use]
            pub const fn id(self) -> &'static str {
                match self { $(Self::$name => stringify!($module)),+ }
            }
        }

        /// The grammar of each protocol.
        #[derive(Clone, Debug)]
        pub(super) enum Grammar { $($name($module::Grammar)),+ }

        impl Grammar {
            /// The grammar of a protocol at the beginning of a connection that this opens.
            pub(super) fn of(protocol: AppProtocol, opening: &Opening<'_>) -> Self {
                match protocol { $(AppProtocol::$name => Self::$name($module::Grammar::new(opening))),+ }
            }

            /// As [`Messages::next`].
            pub(super) fn next(&mut self, from: Side, bytes: &[u8], rest: Rest) -> Step {
                match self { $(Self::$name(it) => it.next(from, bytes, rest)),+ }
            }
        }

        /// The protocol that the first bytes show.
        pub(super) fn recognise(opening: &Opening<'_>) -> Option<AppProtocol> {
            $(if $module::recognise(opening) { return Some(AppProtocol::$name); })+
            None
        }
    };
}

grammars! {
    PostgreSql postgresql "PostgreSQL",
    MySql mysql "MySQL",
    Redis redis "Redis",
    Memcached memcached "memcached",
    MongoDb mongodb "MongoDB",
    Ldap ldap "LDAP",
    FastCgi fastcgi "FastCGI",
    Kafka kafka "Kafka",
    Smtp smtp "SMTP",
}
