// Asks for every response of responses.py with Go's net/http: client BASE COUNT.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

// What net/http logs by itself.
type logged struct {
	sync.Mutex
	text strings.Builder
}

func (it *logged) Write(text []byte) (int, error) {
	it.Lock()
	defer it.Unlock()
	return it.text.Write(text)
}

func (it *logged) taken() string {
	it.Lock()
	defer it.Unlock()
	text := it.text.String()
	it.text.Reset()
	return strings.TrimSpace(text)
}

func main() {
	var own logged
	log.SetFlags(0)
	log.SetOutput(&own)
	base := os.Args[1]
	count, _ := strconv.Atoi(os.Args[2])
	for i := 0; i < count; i++ {
		last := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		client := http.Client{Timeout: 4 * time.Second, Transport: &http.Transport{}, CheckRedirect: last}
		lines := []string{}
		var ok interface{}
		response, err := client.Get(base + strconv.Itoa(i))
		if err == nil {
			var body []byte
			body, err = io.ReadAll(response.Body)
			response.Body.Close()
			if err == nil {
				ok = []int{response.StatusCode, len(body)}
			}
		}
		for it := err; it != nil; it = errors.Unwrap(it) {
			lines = append(lines, fmt.Sprintf("%T: %v", it, it))
		}
		// It looks at an idle connection in a goroutine of its own.
		time.Sleep(5 * time.Millisecond)
		if text := own.taken(); text != "" {
			lines = append(lines, text)
		}
		line, _ := json.Marshal(map[string]interface{}{"i": i, "ok": ok, "lines": lines})
		fmt.Println(string(line))
	}
}
