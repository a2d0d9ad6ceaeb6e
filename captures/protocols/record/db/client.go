// One session of a Go client with a server, step by step: client DRIVER STEP... Steps and environment are those of client.py.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v4"
	_ "github.com/lib/pq"
)

type session struct {
	query func(string) (interface{}, error)
	close func() error
}

func env(name, usual string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return usual
}

func limited() (context.Context, context.CancelFunc) {
	if wait := env("TIMEOUT", ""); wait != "" {
		seconds, _ := strconv.ParseFloat(wait, 64)
		return context.WithTimeout(context.Background(), time.Duration(seconds*float64(time.Second)))
	}
	return context.WithCancel(context.Background())
}

func open(driver string) (*session, error) {
	host, user, password := env("HOST", "10.78.0.1"), env("DBUSER", "app"), env("PASSWORD", "secret")
	postgres := fmt.Sprintf("postgres://%s:%s@%s:%s/app?sslmode=%s", user, password, host, env("PORT", "5432"), env("TLS", "disable"))
	switch driver {
	case "pgx":
		ctx, cancel := limited()
		defer cancel()
		connection, err := pgx.Connect(ctx, postgres)
		if err != nil {
			return nil, err
		}
		query := func(text string) (interface{}, error) {
			ctx, cancel := limited()
			defer cancel()
			return connection.Exec(ctx, text)
		}
		return &session{query, func() error { return connection.Close(context.Background()) }}, nil
	case "go-pq", "go-mysql":
		name, source := "postgres", postgres
		if driver == "go-mysql" {
			name, source = "mysql", fmt.Sprintf("%s:%s@tcp(%s:%s)/app?%s", user, password, host, env("PORT", "3306"), env("OPTIONS", ""))
		}
		db, err := sql.Open(name, source)
		if err != nil {
			return nil, err
		}
		ctx, cancel := limited()
		defer cancel()
		connection, err := db.Conn(ctx)
		if err != nil {
			return nil, err
		}
		query := func(text string) (interface{}, error) {
			ctx, cancel := limited()
			defer cancel()
			_, err := connection.ExecContext(ctx, text)
			return "done", err
		}
		return &session{query, db.Close}, nil
	default:
		pool := x509.NewCertPool()
		config := &tls.Config{}
		if file := env("CA", ""); file != "" {
			bytes, _ := os.ReadFile(file)
			pool.AppendCertsFromPEM(bytes)
			config.RootCAs = pool
		}
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: config}}
		if wait := env("TIMEOUT", ""); wait != "" {
			seconds, _ := strconv.ParseFloat(wait, 64)
			client.Timeout = time.Duration(seconds * float64(time.Second))
		}
		query := func(path string) (interface{}, error) {
			response, err := client.Get(env("SCHEME", "https") + "://" + host + ":" + env("PORT", "443") + path)
			if err != nil {
				return nil, err
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			return fmt.Sprintf("%d, %d bytes", response.StatusCode, len(body)), err
		}
		return &session{query, func() error { client.CloseIdleConnections(); return nil }}, nil
	}
}

func fail(err error) {
	fmt.Println("error:", err)
	os.Exit(1)
}

func main() {
	session, err := open(os.Args[1])
	if err != nil {
		fail(err)
	}
	for _, step := range os.Args[2:] {
		switch {
		case strings.HasPrefix(step, "@sleep"):
			seconds, _ := strconv.ParseFloat(strings.Fields(step)[1], 64)
			time.Sleep(time.Duration(seconds * float64(time.Second)))
		case step == "@close":
			session.close()
		case step == "@leave":
			os.Exit(0)
		default:
			answer, err := session.query(step)
			if err != nil {
				fail(err)
			}
			fmt.Println("answer:", answer)
		}
	}
}
