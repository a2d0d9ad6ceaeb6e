//! Programs that send as many requests as a server takes, to measure it.

/// How the `User-Agent` of load generators begins (as their sources set it by default). Some send none.
const AGENTS: &[&[u8]] = &[
    b"ApacheBench/",
    b"autocannon",
    b"bombardier",
    b"fasthttp",
    b"Gatling/",
    b"h2load ",
    b"hey/",
    b"httperf/",
    b"k6/",
    b"Grafana k6/",
    b"oha/",
    b"rakyll/hey",
    b"rewrk",
    b"weighttp/",
    b"wrk",
    b"wrk2",
    b"Yandex.Tank",
];

/// Words within a `User-Agent` that name a load generator.
const WITHIN: &[&[u8]] = &[b"Siege/", b"JoeDog"];

/// Whether a `User-Agent` names a load generator.
pub(crate) fn is_load_generator(agent: &[u8]) -> bool {
    let within = |word: &&[u8]| agent.windows(word.len()).any(|part| part == *word);
    AGENTS.iter().any(|begin| agent.starts_with(begin)) || WITHIN.iter().any(within)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_generators_name_themselves() {
        for (agent, named) in [
            ("ApacheBench/2.3", true),
            ("k6/0.49.0 (https://k6.io/)", true),
            ("Mozilla/5.0 (pc-x86_64-linux-gnu) Siege/4.0.7", true),
            ("curl/8.5.0", false),
            ("Mozilla/5.0 (X11; Linux x86_64)", false),
            ("", false),
        ] {
            assert_eq!(is_load_generator(agent.as_bytes()), named, "{agent}");
        }
    }
}
