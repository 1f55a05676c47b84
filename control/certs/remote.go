package certs

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	// The driver of PostgreSQL, by the name pgx.
	_ "github.com/jackc/pgx/v5/stdlib"
)

// maxAnswer bounds what a source may say, in octets.
const maxAnswer = 1 << 20

// Web is a URL that answers with certificates in PEM form.
type Web struct {
	URL    string
	Client *http.Client
}

// Fetch implements Source.
func (w Web) Fetch(ctx context.Context) ([]*x509.Certificate, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.URL, nil)
	if err != nil {
		return nil, err
	}
	res, err := w.Client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s is answered with %s", w.URL, res.Status)
	}
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", w.URL, err)
	}
	return Parse(text)
}

// Database is a PostgreSQL database, such as a configuration server's own.
type Database struct {
	DSN string // postgres://user:password@host/name
	// Query gives a row a certificate, in PEM form, in one column.
	Query string
}

// Fetch implements Source. A connection lasts as long as the question: there is one a
// minute.
func (d Database) Fetch(ctx context.Context) (_ []*x509.Certificate, err error) {
	db, err := sql.Open("pgx", d.DSN)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, d.Query)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	defer rows.Close()
	var all []*x509.Certificate
	for rows.Next() {
		var text []byte
		if err := rows.Scan(&text); err != nil {
			return nil, fmt.Errorf("database: %w", err)
		}
		found, err := Parse(text)
		if err != nil {
			return nil, fmt.Errorf("database: row %d: %w", len(all)+1, err)
		}
		all = append(all, found...)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("database: %w", err)
	}
	if len(all) == 0 {
		return nil, errors.New("database: the query gives no certificates")
	}
	return all, nil
}

// Gateway is a program beside a configuration server that answers one question over
// TCP, port 8888 by custom, with TLS or without. It is no configuration server, and no
// compatibility with one is claimed: whose protocol is closed needs such a program.
//
// A message is its length in octets, four octets with the highest first, and a JSON
// object in UTF-8. The platform asks
//
//	{"version": 1, "request": "recording-certificates", "application": "default",
//	 "user": "…", "password": "…"}
//
// and the gateway answers, then closes,
//
//	{"version": 1, "certificates": ["-----BEGIN CERTIFICATE-----…", …]}
//
// or {"version": 1, "error": "what is wrong"}. Neither message is longer than 1 MiB.
// Keys that are not known are to be ignored; another version is refused.
type Gateway struct {
	Address                     string
	TLS                         *tls.Config // nil: plain TCP
	Application, User, Password string
}

// GatewayVersion is the version of the protocol between platform and gateway.
const GatewayVersion = 1

// Question is what the platform asks a gateway.
type Question struct {
	Version     int    `json:"version"`
	Request     string `json:"request"`
	Application string `json:"application"`
	User        string `json:"user,omitempty"`
	Password    string `json:"password,omitempty"`
}

// Answer is what a gateway answers.
type Answer struct {
	Version      int      `json:"version"`
	Certificates []string `json:"certificates,omitempty"`
	Error        string   `json:"error,omitempty"`
}

// Fetch implements Source.
func (g Gateway) Fetch(ctx context.Context) ([]*x509.Certificate, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", g.Address)
	if err != nil {
		return nil, fmt.Errorf("gateway: %w", err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if g.TLS != nil {
		secure := tls.Client(conn, g.TLS)
		if err := secure.HandshakeContext(ctx); err != nil {
			return nil, fmt.Errorf("gateway: %w", err)
		}
		conn = secure
	}
	q := Question{GatewayVersion, "recording-certificates", g.Application, g.User, g.Password}
	if err := WriteMessage(conn, q); err != nil {
		return nil, fmt.Errorf("gateway: ask: %w", err)
	}
	var a Answer
	if err := ReadMessage(conn, &a); err != nil {
		return nil, fmt.Errorf("gateway: read answer: %w", err)
	}
	switch {
	case a.Version != GatewayVersion:
		return nil, fmt.Errorf("gateway: speaks version %d, not %d", a.Version, GatewayVersion)
	case a.Error != "":
		return nil, fmt.Errorf("gateway: %.200q", a.Error)
	}
	var all []*x509.Certificate
	for i, text := range a.Certificates {
		found, err := Parse([]byte(text))
		if err != nil {
			return nil, fmt.Errorf("gateway: certificate %d: %w", i+1, err)
		}
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, errors.New("gateway: it has no certificates")
	}
	return all, nil
}

// WriteMessage sends a message of the gateway's protocol.
func WriteMessage(w io.Writer, message any) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(text) > maxAnswer {
		return fmt.Errorf("a message of %d octets is too long", len(text))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(text))), text...))
	return err
}

// ReadMessage reads one. What is longer than a message may be is not read.
func ReadMessage(r io.Reader, message any) error {
	var length uint32
	if err := binary.Read(r, binary.BigEndian, &length); err != nil {
		return err
	}
	if length > maxAnswer {
		return fmt.Errorf("a message of %d octets is too long", length)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return err
	}
	return json.Unmarshal(text, message)
}
