// A client with Go's own TLS, which offers neither encrypt-then-MAC nor, in the Go of Debian 12, the extended master
// secret. Asks for one page:
//
//	tls-client URL ADDRESS [-ca FILE] [-keys FILE] [-max 1.2] [-suite NAME]
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
)

func main() {
	authorities := flag.String("ca", "", "certificates to trust")
	keys := flag.String("keys", "", "key log to add to")
	newest := flag.String("max", "1.3", "newest version of TLS: 1.2 or 1.3")
	suite := flag.String("suite", "", "the one cipher suite to offer, up to TLS 1.2")
	flag.Parse()
	url, address := flag.Arg(0), flag.Arg(1)

	config := &tls.Config{RootCAs: x509.NewCertPool(), MaxVersion: tls.VersionTLS13}
	if *newest == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if *authorities != "" {
		config.RootCAs.AppendCertsFromPEM(must(os.ReadFile(*authorities)))
	}
	if *keys != "" {
		config.KeyLogWriter = must(os.OpenFile(*keys, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600))
	}
	for _, known := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
		if known.Name == *suite {
			config.CipherSuites = []uint16{known.ID}
		}
	}
	transport := &http.Transport{
		TLSClientConfig: config,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	body := must(io.ReadAll(response.Body))
	fmt.Println(response.Status, len(body))
	transport.CloseIdleConnections()
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return value
}
