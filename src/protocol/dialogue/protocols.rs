//! The table of the protocols that are recognised.

use super::grammar::{Messages, Opening, Rest, Side, Step};
use super::lines::says;
use super::{
    amqp, bgp, dns, fastcgi, ftp, git, imap, kafka, ldap, memcached, mongodb, mqtt, mysql, pop3,
    postgresql, rdp, redis, rsync, smb, smtp, ssh,
};

impl AppProtocol {
    /// Whether a connection is a session that both sides keep, with signs of life where nothing else is said.
    #[must_use]
    pub const fn keeps_session(self) -> bool {
        matches!(self, Self::Amqp | Self::Mqtt | Self::Bgp)
    }

    /// Whether a session is encrypted by the protocol itself once both sides have agreed on keys. From then on it has no
    /// requests and answers that could be told apart.
    #[must_use]
    pub const fn encrypts_itself(self) -> bool {
        matches!(self, Self::Ssh)
    }

    /// Whether its messages are text, which a ladder quotes as it is.
    #[must_use]
    pub(crate) const fn is_text(self) -> bool {
        matches!(
            self,
            Self::Imap
                | Self::Pop3
                | Self::Redis
                | Self::Memcached
                | Self::Smtp
                | Self::Ftp
                | Self::Rsync
        )
    }

    /// The protocol whose servers begin with these bytes, if they show it whatever the client said.
    #[must_use]
    pub fn of_server(first: &[u8]) -> Option<Self> {
        Some(match first {
            [b'S', b'S', b'H', b'-', ..] => Self::Ssh,
            [b'A', b'M', b'Q', b'P', ..] => Self::Amqp,
            [b'*', b' ', b'O', b'K', b' ', ..] => Self::Imap,
            [b'+', b'O', b'K', b' ', ..] => Self::Pop3,
            [3, 0, 0, _, _, 0xd0 | 0xf0, ..] => Self::Rdp,
            [b'2', b'2', b'0', b' ' | b'-', ..] if says(first, b"SMTP") => Self::Smtp,
            [b'2', b'2', b'0', b' ' | b'-', ..] if says(first, b"FTP") => Self::Ftp,
            [b'-', b'E', b'R', b'R', b' ', error @ ..] if is_of_redis(error) => Self::Redis,
            _ => {
                return recognise(&Opening {
                    client: b"",
                    server: first,
                    port: 0,
                    midstream: false,
                });
            }
        })
    }

    /// The protocol whose clients begin with these bytes, if they show it before the server has said anything.
    #[must_use]
    pub(crate) fn of_client(first: &[u8]) -> Option<Self> {
        recognise(&Opening {
            client: first,
            server: b"",
            port: 0,
            midstream: false,
        })
    }

    /// The words with which a server ends a session of this protocol, if it never ends one without them.
    #[must_use]
    pub const fn goodbye_of_server(self) -> Option<&'static str> {
        Some(match self {
            Self::Amqp => "Connection.Close",
            Self::Bgp => "NOTIFICATION",
            Self::Imap => "BYE",
            Self::Mqtt => "DISCONNECT",
            _ => return None,
        })
    }
}

/// Whether Redis begins such an error: no other protocol names commands so.
fn is_of_redis(error: &[u8]) -> bool {
    [&b"wrong number of arguments for '"[..], b"unknown command "]
        .iter()
        .any(|text| error.starts_with(text))
}

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

            /// As [`Messages::SELF_EVIDENT`].
            pub(super) const fn is_self_evident(&self) -> bool {
                match self { $(Self::$name(_) => <$module::Grammar as Messages>::SELF_EVIDENT),+ }
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
    Amqp amqp "AMQP 0-9-1",
    Mqtt mqtt "MQTT",
    Bgp bgp "BGP",
    Smb smb "SMB",
    Rdp rdp "RDP",
    Dns dns "DNS",
    Imap imap "IMAP",
    Pop3 pop3 "POP3",
    MySql mysql "MySQL",
    Redis redis "Redis",
    Memcached memcached "memcached",
    MongoDb mongodb "MongoDB",
    Ldap ldap "LDAP",
    FastCgi fastcgi "FastCGI",
    Kafka kafka "Kafka",
    Smtp smtp "SMTP",
    Ftp ftp "FTP",
    Ssh ssh "SSH",
    Rsync rsync "rsync",
    Git git "git",
}
