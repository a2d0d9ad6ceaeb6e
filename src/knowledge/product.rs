//! The products of the tables, and how the headers `User-Agent`, `Server` and `Via` identify them.
//!
//! A product is known only if a header names it, or in another protocol than HTTP its handshake (`handshake.rs`). One that sends no such header (Node's `http`, .NET, `reqwest`, PHP's
//! streams) stays unknown here, and the suspects of [`texts`](super::texts) take its place.

use std::fmt;
use std::sync::LazyLock;

use hashbrown::HashMap;

use super::table;
use super::wire_event::LogSide;

/// A program or library that speaks HTTP or another protocol.
#[derive(Debug, PartialEq, Eq)]
pub struct Product {
    /// The name in reports and tables.
    pub name: &'static str,
    /// The name shown to the user.
    pub title: &'static str,
    /// Its role in its protocol.
    pub role: Role,
    /// Whether it names itself by default, in a header or in its handshake.
    pub named: bool,
    /// Rank among products of its role and protocol by how common it is; 1 is the most common. An estimate, used to order
    /// suspects.
    pub rank: u8,
    /// The protocols in which its texts are known, with spaces between: `http`, or words of `service.rs`.
    pub protocols: &'static str,
}

/// The role of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sends requests.
    Client,
    /// Answers requests.
    Server,
    /// Does both.
    Proxy,
}

/// All products.
pub static PRODUCTS: LazyLock<Vec<Product>> = LazyLock::new(|| {
    table::rows(include_str!("products.tsv"))
        .map(|[name, title, role, header, rank, protocols]| Product {
            name,
            title,
            role: match role {
                "client" => Role::Client,
                "server" => Role::Server,
                _ => Role::Proxy,
            },
            named: header == "named",
            rank: rank.parse().unwrap_or(u8::MAX),
            protocols,
        })
        .collect()
});

/// The product with this name.
#[must_use]
pub fn product(name: &str) -> Option<&'static Product> {
    BY_NAME.get(name).copied()
}

static BY_NAME: LazyLock<HashMap<&str, &Product, foldhash::fast::FixedState>> =
    LazyLock::new(|| PRODUCTS.iter().map(|it| (it.name, it)).collect());

/// The framework that most often runs inside a server and writes a log in addition to the server's. Its texts are only
/// a suspicion: the header names the server alone.
#[must_use]
pub fn inside(server: &Product) -> Option<&'static Product> {
    match server.name {
        "iis" | "http.sys" => product("asp.net"),
        _ => None,
    }
}

/// Programs that never write `Connection: close` by themselves. nginx does, towards its servers.
const KEEP_OPEN: [&str; 4] = ["curl", "chrome", "firefox", "safari"];

/// Programs that decode a body also where their request names no coding.
const DECODE_UNASKED: [&str; 2] = ["urllib3", "python-requests"];

impl Product {
    /// Whether its texts are about this protocol.
    #[must_use]
    pub fn speaks(&self, protocol: &str) -> bool {
        self.protocols.split(' ').any(|it| it == protocol)
    }

    /// Whether it is a program with a user before it, who leaves a page when they like.
    #[must_use]
    pub(crate) fn is_browser(&self) -> bool {
        ["chrome", "firefox", "safari"].contains(&self.name)
    }

    /// Whether it decodes a body that it has not asked to be coded.
    #[must_use]
    pub(crate) fn decodes_unasked(&self) -> bool {
        DECODE_UNASKED.contains(&self.name)
    }

    /// Whether it leaves the connection open unless its user says otherwise.
    #[must_use]
    pub(crate) fn keeps_open(&self) -> bool {
        KEEP_OPEN.contains(&self.name)
    }
}

/// The header that identified a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NamedBy {
    /// `User-Agent` of a request.
    UserAgent,
    /// `Server` of a response.
    Server,
    /// `Via` of a message.
    Via,
    /// Its answer on the connection that it served meanwhile.
    Answer,
    /// What it said of itself when a session of another protocol began.
    Handshake,
}

impl NamedBy {
    /// The header's name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UserAgent => "user-agent",
            Self::Server => "server",
            Self::Via => "via",
            Self::Answer => "answer",
            Self::Handshake => "handshake",
        }
    }
}

/// A product that named itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedProduct {
    /// The product.
    pub product: &'static Product,
    /// Its version, if the header gives one.
    pub version: Option<String>,
    /// The header that identified it.
    pub by: NamedBy,
}

impl fmt::Display for NamedProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.product.name)?;
        match &self.version {
            Some(version) => write!(f, "/{version}"),
            None => Ok(()),
        }
    }
}

/// Where in the field a token has to be: `Java/17` at the start of the field is `HttpURLConnection`, elsewhere it is a
/// comment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TokenPosition {
    First,
    Anywhere,
}
use TokenPosition::{Anywhere, First};

/// A product token of `User-Agent` (lower case) and the product it identifies. The first match wins, so a product
/// precedes those it wraps.
const USER_AGENTS: &[(&str, TokenPosition, &str)] = &[
    ("python-requests", First, "python-requests"),
    ("python-urllib3", First, "urllib3"),
    ("python-urllib", First, "python-urllib"),
    ("python-httpx", First, "httpx"),
    ("aiohttp", Anywhere, "aiohttp"),
    ("websockets", Anywhere, "websockets"),
    ("grpc-python", First, "grpcio"),
    ("grpc-node-js", First, "grpc-js"),
    ("axios", Anywhere, "axios"),
    ("node-fetch", First, "node-fetch-2"),
    ("got", First, "got"),
    ("undici", First, "undici"),
    ("node", First, "node-fetch"),
    ("go-http-client", First, "go"),
    ("java-http-client", First, "java-httpclient"),
    ("java", First, "java-urlconnection"),
    ("okhttp", Anywhere, "okhttp"),
    ("reactornetty", First, "reactor-netty"),
    ("reqwest", First, "reqwest"),
    ("hyper", First, "hyper"),
    ("guzzlehttp", First, "guzzle"),
    ("wget", First, "wget"),
    ("curl", First, "curl"),
    ("ruby", First, "ruby"),
    ("php", First, "php-stream"),
    ("libwww-perl", Anywhere, "lwp"),
    ("lwp", First, "lwp"),
    // SOAP proxies of the .NET Framework, with the version of its runtime.
    (
        "ms web services client protocol",
        Anywhere,
        "dotnet-framework",
    ),
    ("windowspowershell", Anywhere, "powershell"),
    ("powershell", Anywhere, "powershell"),
    ("winhttp", Anywhere, "winhttp"),
    ("firefox", Anywhere, "firefox"),
    ("chrome", Anywhere, "chrome"),
    ("edg", Anywhere, "chrome"),
    ("safari", Anywhere, "safari"),
];

/// Product tokens of programs that are known by name, and whose texts are not: browsers, readers of the web and parts of
/// systems. They are none of the libraries of the tables.
const STRANGERS: &[&str] = &[
    "jakarta commons-httpclient",
    "microsoft-cryptoapi",
    "microsoft bits",
    "windows-update-agent",
    "cfnetwork",
    "dalvik",
    "apachebench",
    "wrk",
    "googlebot",
    "bingbot",
];

/// Product tokens of browsers whose texts are not known: as [`STRANGERS`], with a user before them.
const OTHER_BROWSERS: &[&str] = &[
    "msie",
    "trident",
    "opera",
    "presto",
    "konqueror",
    "lynx",
    "links",
    "w3m",
];

/// Product tokens of `Server` of services that no program of the tables stands behind.
const FOREIGN_SERVERS: &[&str] = &[
    "gfe",
    "gws",
    "esf",
    "sffe",
    "akamaighost",
    "amazons3",
    "cloudfront",
    "ecs",
    "github.com",
];

/// Whether a header names a program whose texts are not known and that is none of the tables'.
#[must_use]
pub(crate) fn is_stranger(value: &str, side: LogSide) -> bool {
    match side {
        LogSide::Client => has_word(value, STRANGERS) || is_other_browser(value),
        LogSide::Server => has_word(value, FOREIGN_SERVERS),
    }
}

/// Whether a `User-Agent` is that of a browser whose texts are not known, such as Internet Explorer.
#[must_use]
pub(crate) fn is_other_browser(user_agent: &str) -> bool {
    has_word(user_agent, OTHER_BROWSERS)
}

/// Whether one of these words stands in a header, whatever its case.
fn has_word(value: &str, names: &[&str]) -> bool {
    let bytes = value.as_bytes();
    word_starts(bytes).any(|at| {
        names
            .iter()
            .any(|name| is_word_at(bytes, at, name.as_bytes()))
    })
}

/// The same for `Server` and `Via`.
const SERVERS: &[(&str, TokenPosition, &str)] = &[
    ("nginx", Anywhere, "nginx"),
    ("openresty", Anywhere, "openresty"),
    ("apache-coyote", Anywhere, "tomcat"),
    ("tomcat", Anywhere, "tomcat"),
    ("apache", Anywhere, "apache"),
    ("microsoft-iis", Anywhere, "iis"),
    ("microsoft-httpapi", Anywhere, "http.sys"),
    ("kestrel", Anywhere, "kestrel"),
    ("gunicorn", Anywhere, "gunicorn"),
    ("uvicorn", Anywhere, "uvicorn"),
    ("hypercorn", Anywhere, "hypercorn"),
    ("waitress", Anywhere, "waitress"),
    ("werkzeug", Anywhere, "werkzeug"),
    ("aiohttp", Anywhere, "aiohttp-server"),
    ("basehttp", Anywhere, "python-http.server"),
    ("simplehttp", Anywhere, "python-http.server"),
    ("jetty", Anywhere, "jetty"),
    ("puma", Anywhere, "puma"),
    ("haproxy", Anywhere, "haproxy"),
    ("envoy", Anywhere, "envoy"),
    ("awselb", Anywhere, "aws-alb"),
    ("google", Anywhere, "gcp-alb"),
    ("varnish", Anywhere, "varnish"),
    ("squid", Anywhere, "squid"),
    ("caddy", Anywhere, "caddy"),
    ("traefik", Anywhere, "traefik"),
    ("cloudflare", Anywhere, "cloudflare"),
    ("lighttpd", Anywhere, "lighttpd"),
];

/// Identifies the product on one side of a connection from the headers of its messages. `Server` has priority over
/// `Via`: it names the server that answers at the other end. A `Via` without a `Server` names a proxy that answered by
/// itself or removed the field.
#[must_use]
pub(crate) fn identify(
    user_agent: Option<&str>,
    server: Option<&str>,
    via: Option<&str>,
    side: LogSide,
) -> Option<NamedProduct> {
    match side {
        LogSide::Client => from_user_agent(user_agent?),
        LogSide::Server => {
            let by_server = server.and_then(|value| from(value, SERVERS, NamedBy::Server));
            by_server.or_else(|| via.and_then(|value| from(value, SERVERS, NamedBy::Via)))
        }
    }
}

/// The words by which headers name products.
#[cfg(feature = "anonymise")]
pub(crate) fn product_words() -> impl Iterator<Item = &'static str> {
    USER_AGENTS.iter().chain(SERVERS).map(|(word, ..)| *word)
}

fn from_user_agent(value: &str) -> Option<NamedProduct> {
    let mut stack = match value
        .get(..17)
        .filter(|it| it.eq_ignore_ascii_case("apache-httpclient"))
    {
        // `Apache-HttpClient/5.2.1 (Java/17.0.15)`; its two major versions are two products.
        Some(_) => {
            let rest = value.get(17..)?;
            // Truncated before the number that matters.
            if rest == "/" {
                return None;
            }
            let version = version_after(rest);
            let major = version.as_deref().and_then(|it| it.split('.').next());
            let name = if major == Some("4") {
                "apache-httpclient-4"
            } else {
                "apache-httpclient-5"
            };
            NamedProduct {
                product: product(name)?,
                version,
                by: NamedBy::UserAgent,
            }
        }
        None => from(value, USER_AGENTS, NamedBy::UserAgent)?,
    };
    if stack.product.name == "httpx" && stack.version.as_deref() == Some("0") {
        stack.version = None; // truncated by the snap length
    }
    Some(stack)
}

fn from(value: &str, names: &[(&str, TokenPosition, &str)], by: NamedBy) -> Option<NamedProduct> {
    let bytes = value.as_bytes();
    let mut first: Option<(usize, usize)> = None;
    for at in word_starts(bytes) {
        let earlier = first.map_or(names.len(), |(nth, _)| nth);
        let found = names.iter().take(earlier).position(|(token, place, _)| {
            (at == 0 || *place == Anywhere) && is_word_at(bytes, at, token.as_bytes())
        });
        first = found
            .and_then(|nth| Some((nth, at + names.get(nth)?.0.len())))
            .or(first);
    }
    let (nth, end) = first?;
    Some(NamedProduct {
        product: product(names.get(nth)?.2)?,
        version: version_after(value.get(end..)?),
        by,
    })
}

const fn is_of_a_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Where words begin; what follows a slash is a version.
fn word_starts(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let after = |byte: u8| !is_of_a_word(byte) && byte != b'/';
    let pairs = (1..).zip(bytes.iter().zip(bytes.iter().skip(1)));
    let later = pairs.filter_map(move |(at, (before, _))| after(*before).then_some(at));
    std::iter::once(0).chain(later)
}

/// Whether `token` is a whole word there: `node` does not match `node-fetch`.
fn is_word_at(bytes: &[u8], at: usize, token: &[u8]) -> bool {
    let begins = |byte: &u8| token.first() == Some(&byte.to_ascii_lowercase());
    let end = at + token.len();
    bytes.get(at).is_some_and(begins)
        && bytes
            .get(at..end)
            .is_some_and(|word| word.eq_ignore_ascii_case(token))
        && bytes.get(end).is_none_or(|byte| !is_of_a_word(*byte))
}

/// The version in `/7.88.1 (…)` or `(9.4.57…)`.
fn version_after(rest: &str) -> Option<String> {
    let rest = rest.strip_prefix(['/', '(', ' '])?;
    let end = rest
        .find(|char: char| !(char.is_ascii_alphanumeric() || matches!(char, '.' | '-' | '_' | '+')))
        .unwrap_or(rest.len());
    let version = rest.get(..end)?;
    let numbered = version.strip_prefix(['v', 'V']).unwrap_or(version);
    numbered
        .starts_with(|char: char| char.is_ascii_digit())
        .then(|| version.to_owned())
}

/// Products that hardly run on Windows: where one is named, a hop limit of Windows is that of a device in between.
pub(crate) const NOT_ON_WINDOWS: [&str; 7] = [
    "nginx",
    "openresty",
    "haproxy",
    "envoy",
    "gunicorn",
    "puma",
    "aws-alb",
];

/// Products that run on Windows alone.
pub(crate) const ONLY_ON_WINDOWS: [&str; 4] = ["dotnet-framework", "winhttp", "iis", "http.sys"];

/// Product names as remedies write them, longer names before their prefixes; the side on which the setting applies, and
/// the products it covers.
pub(crate) const REMEDY_WORDS: &[(&str, LogSide, &[&str])] = &[
    ("nginx's upstream", LogSide::Client, &["nginx", "openresty"]),
    ("nginx", LogSide::Server, &["nginx", "openresty"]),
    (
        "Apache HttpClient",
        LogSide::Client,
        &["apache-httpclient-4", "apache-httpclient-5"],
    ),
    ("Apache", LogSide::Server, &["apache"]),
    ("ASP.NET", LogSide::Server, &["iis", "http.sys", "asp.net"]),
    ("IIS", LogSide::Server, &["iis", "http.sys"]),
    ("gunicorn", LogSide::Server, &["gunicorn"]),
    ("Tomcat", LogSide::Server, &["tomcat"]),
    ("HAProxy", LogSide::Server, &["haproxy"]),
    ("Kestrel", LogSide::Server, &["kestrel"]),
    ("Envoy", LogSide::Server, &["envoy"]),
    ("ALB", LogSide::Server, &["aws-alb"]),
    (
        ".NET",
        LogSide::Client,
        &[
            "dotnet-framework",
            "dotnet-httpclient",
            "dotnet-webrequest",
            "powershell",
            "wcf",
        ],
    ),
    ("Node.js `server", LogSide::Server, &["node-server"]),
    ("Node.js `req", LogSide::Server, &["node-server"]),
    ("Node `server", LogSide::Server, &["node-server"]),
    (
        "Node",
        LogSide::Client,
        &[
            "node-http",
            "node-fetch",
            "undici",
            "axios",
            "node-fetch-2",
            "got",
        ],
    ),
    (
        "Python",
        LogSide::Client,
        &[
            "python-requests",
            "urllib3",
            "httpx",
            "aiohttp",
            "python-urllib",
            "python-http.client",
        ],
    ),
    ("Go ", LogSide::Client, &["go"]),
    ("OkHttp", LogSide::Client, &["okhttp"]),
    ("curl", LogSide::Client, &["curl", "php-curl", "guzzle"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_well_formed() {
        table::well_formed::<6>(include_str!("products.tsv"));
        for (index, one) in PRODUCTS.iter().enumerate() {
            assert!(one.rank != u8::MAX, "{}", one.name);
            assert!(!one.protocols.is_empty(), "{}", one.name);
            assert!(
                !PRODUCTS[..index].iter().any(|it| it.name == one.name),
                "{}",
                one.name
            );
        }
        for (_, _, name) in USER_AGENTS.iter().chain(SERVERS) {
            assert!(product(name).is_some(), "{name}");
        }
        for name in NOT_ON_WINDOWS.iter().chain(&ONLY_ON_WINDOWS) {
            assert!(product(name).is_some(), "{name}");
        }
    }

    #[track_caller]
    fn client(value: &str, expected: &str) {
        let found = identify(Some(value), None, None, LogSide::Client);
        assert_eq!(
            found.map_or("-".to_owned(), |it| it.to_string()),
            expected,
            "{value}"
        );
    }

    #[test]
    fn user_agents() {
        client("curl/7.88.1", "curl/7.88.1");
        client("python-requests/2.34.2", "python-requests/2.34.2");
        client("python-urllib3/2.8.0", "urllib3/2.8.0");
        client("got (https://github.com/sindresorhus/got)", "got");
        client("libwww-perl/6.68", "lwp/6.68");
        client("LWP::Simple/6.68 libwww-perl/6.68", "lwp/6.68");
        client("Python-urllib/3.11", "python-urllib/3.11");
        client("python-httpx/0.28.1", "httpx/0.28.1");
        client("Python/3.11 aiohttp/3.14.5", "aiohttp/3.14.5");
        client("node", "node-fetch");
        client("undici", "undici");
        client("axios/1.21.1", "axios/1.21.1");
        client(
            "node-fetch/1.0 (+https://github.com/bitinn/node-fetch)",
            "node-fetch-2/1.0",
        );
        client("Go-http-client/1.1", "go/1.1");
        client("Java/17.0.15", "java-urlconnection/17.0.15");
        client("Java-http-client/17.0.15", "java-httpclient/17.0.15");
        client(
            "Apache-HttpClient/4.5.14 (Java/17.0.15)",
            "apache-httpclient-4/4.5.14",
        );
        client(
            "Apache-HttpClient/5.2.1 (Java/17.0.15)",
            "apache-httpclient-5/5.2.1",
        );
        client("okhttp/3.13.1", "okhttp/3.13.1");
        client("ReactorNetty/1.1.0", "reactor-netty/1.1.0");
        client("reqwest/0.12", "reqwest/0.12");
        client("Ruby", "ruby");
        client("GuzzleHttp/7", "guzzle/7");
        client("Wget/1.21.3", "wget/1.21.3");
        client(
            "Mozilla/5.0 (Windows NT; Windows NT 10.0; en-US) WindowsPowerShell/5.1.19041.1",
            "powershell/5.1.19041.1",
        );
        client(
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            "chrome/126.0.0.0",
        );
        client(
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
            "firefox/128.0",
        );
        client(
            "Mozilla/4.0 (compatible; MSIE 6.0; MS Web Services Client Protocol 1.1.4322.573)",
            "dotnet-framework/1.1.4322.573",
        );
        client("Apache-HttpClient/", "-");
        client("Apache-HttpClient/4.", "apache-httpclient-4/4.");
        client("python-httpx/", "httpx");
        client("MyService/2.0 (Java/17.0.15)", "-");
        client("MyApp/2.0 okhttp/4.12.0", "okhttp/4.12.0");
        client("nodeadly/1.0", "-");
        client("", "-");
    }

    #[track_caller]
    fn server(value: &str, expected: &str) {
        let found = identify(None, Some(value), None, LogSide::Server);
        assert_eq!(
            found.map_or("-".to_owned(), |it| it.to_string()),
            expected,
            "{value}"
        );
    }

    #[test]
    fn servers() {
        server("nginx/1.22.1", "nginx/1.22.1");
        server("nginx", "nginx");
        server("Apache/2.4.71 (Debian)", "apache/2.4.71");
        server("Apache-Coyote/1.1", "tomcat/1.1");
        server("Microsoft-IIS/10.0", "iis/10.0");
        server("Microsoft-HTTPAPI/2.0", "http.sys/2.0");
        server("Kestrel", "kestrel");
        server("gunicorn", "gunicorn");
        server("Werkzeug/3.0.1 Python/3.11.7", "werkzeug/3.0.1");
        server("BaseHTTP/0.6 Python/3.11.7", "python-http.server/0.6");
        server("SimpleHTTP/0.6 Python/3.11.7", "python-http.server/0.6");
        server("Jetty(9.4.57.v20241219)", "jetty/9.4.57.v20241219");
        server("Python/3.11 aiohttp/3.14.5", "aiohttp-server/3.14.5");
        server("envoy", "envoy");
        server("awselb/2.0", "aws-alb/2.0");
        server("faultd", "-");
    }

    #[test]
    fn via_names_what_server_does_not() {
        let found = identify(None, None, Some("1.1 proxy (squid/5.7)"), LogSide::Server);
        assert_eq!(
            found.map(|it| (it.to_string(), it.by)),
            Some(("squid/5.7".into(), NamedBy::Via))
        );
        let found = identify(None, Some("nginx"), Some("1.1 varnish"), LogSide::Server);
        assert_eq!(found.map(|it| it.to_string()), Some("nginx".into()));
        assert_eq!(identify(None, Some("nginx"), None, LogSide::Client), None);
    }
}
