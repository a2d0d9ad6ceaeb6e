//! A client on reqwest (as it is, or without gzip) or ureq; see `../README.md` for its arguments.

use std::error::Error;
use std::io::Read;
use std::time::Duration;

fn chain(error: &(dyn Error + 'static)) {
    println!("ERR {error} | {error:?}");
    let mut next = error.source();
    while let Some(it) = next {
        println!("ERR   caused by: {it}");
        next = it.source();
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let [_, lib, url, method, timeout, repeat, interval, size, ca] = &args[..] else { panic!("arguments") };
    let timeout = Duration::from_millis(timeout.parse().unwrap());
    let interval = Duration::from_millis(interval.parse().unwrap());
    let size: usize = size.parse().unwrap();
    let body = vec![b'x'; size];
    let post = method == "POST";
    if lib == "ureq" {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(timeout)).build().into();
        for n in 1..=repeat.parse::<u32>().unwrap() {
            if n > 1 { std::thread::sleep(interval); }
            let sent = if post { agent.post(url).send(&body[..]) } else { agent.get(url).call() };
            let read = sent.and_then(|mut it| Ok((it.status(), it.body_mut().read_to_vec()?.len())));
            match read {
                Ok((status, n_bytes)) => println!("REQ {n} OK {status} {n_bytes}B"),
                Err(error) => { chain(&error); println!("REQ {n} FAILED"); }
            }
        }
        return;
    }
    let mut builder = reqwest::blocking::Client::builder().timeout(timeout).gzip(lib == "reqwest-gzip");
    if ca != "-" {
        let pem = std::fs::read(ca).unwrap();
        builder = builder.add_root_certificate(reqwest::Certificate::from_pem(&pem).unwrap());
    }
    let client = builder.build().unwrap();
    for n in 1..=repeat.parse::<u32>().unwrap() {
        if n > 1 { std::thread::sleep(interval); }
        let request = if post { client.post(url).body(body.clone()) } else { client.get(url) };
        match request.send() {
            Err(error) => { chain(&error); println!("REQ {n} FAILED"); }
            Ok(mut it) => {
                let status = it.status();
                let mut got = Vec::new();
                match if lib == "reqwest-read" { it.read_to_end(&mut got).map(|it| it as usize).map_err(|it| Box::new(it) as Box<dyn Error>) } else { it.bytes().map(|it| it.len()).map_err(|it| Box::new(it) as Box<dyn Error>) } {
                    Ok(n_bytes) => println!("REQ {n} OK {status} {n_bytes}B"),
                    Err(error) => { chain(&*error); println!("REQ {n} FAILED"); }
                }
            }
        }
    }
}
