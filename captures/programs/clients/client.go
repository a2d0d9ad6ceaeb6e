// A client on Go's net/http; see README.md for its arguments.
package main

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func told(err error) {
	for err != nil {
		fmt.Printf("ERR %T: %s\n", err, strings.ReplaceAll(err.Error(), "\n", "\\n"))
		err = errors.Unwrap(err)
	}
}

func main() {
	a := os.Args[1:]
	url, method := a[1], a[2]
	timeout, _ := strconv.Atoi(a[3])
	repeat, _ := strconv.Atoi(a[4])
	interval, _ := strconv.Atoi(a[5])
	size, _ := strconv.Atoi(a[6])
	config := &tls.Config{}
	if a[7] != "-" {
		pem, _ := os.ReadFile(a[7])
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM(pem)
	}
	if name := os.Getenv("SSLKEYLOGFILE"); name != "" {
		config.KeyLogWriter, _ = os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	}
	client := &http.Client{Timeout: time.Duration(timeout) * time.Millisecond, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: a[0] == "go-h2"}}
	for n := 1; n <= repeat; n++ {
		if n > 1 {
			time.Sleep(time.Duration(interval) * time.Millisecond)
		}
		var body io.Reader
		if method == "POST" {
			body = bytes.NewReader(bytes.Repeat([]byte("x"), size))
		}
		request, _ := http.NewRequest(method, url, body)
		response, err := client.Do(request)
		got, status := []byte{}, 0
		if err == nil {
			status = response.StatusCode
			got, err = io.ReadAll(response.Body)
			response.Body.Close()
		}
		if err != nil {
			told(err)
			fmt.Printf("REQ %d FAILED status=%d got=%dB\n", n, status, len(got))
		} else {
			fmt.Printf("REQ %d OK %d %dB\n", n, status, len(got))
		}
	}
}
