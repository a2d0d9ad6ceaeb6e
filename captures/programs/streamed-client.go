// Uploads one small stream per call, every call on a connection and a source port of its own.
//
//	streamed-client URL CALLS FIRST-PORT
//
// It asks to keep the connection, waits for 100 Continue, and sends the body chunked because it does not know
// its length beforehand, as a WCF client with streamed transfers does. The server's `Connection: close` makes
// it close after each answer, so that every port stays behind in TIME-WAIT.
package main

import (
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

func call(url string, port int) {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{Port: port}}
	client := http.Client{Transport: &http.Transport{
		DialContext:           dialer.DialContext,
		ExpectContinueTimeout: time.Second,
	}}
	body := io.MultiReader(strings.NewReader("<item>one</item>"), strings.NewReader("<item>two</item>"))
	request, err := http.NewRequest("POST", url, body)
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/xml")
	request.Header.Set("Connection", "keep-alive")
	request.Header.Set("Expect", "100-continue")
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func main() {
	url, calls, first := os.Args[1], number(os.Args[2]), number(os.Args[3])
	for i := 0; i < calls; i++ {
		call(url, first+i)
		time.Sleep(5 * time.Millisecond)
	}
}
