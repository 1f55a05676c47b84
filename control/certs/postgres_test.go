package certs_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mcp/control/certs"
	"mcp/control/certs/certstest"
)

// postgres starts a server of its own on a free port of loopback, and ends it.
func postgres(t *testing.T) (dsn string) {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatal("PostgreSQL is not installed: scripts/setup.sh installs it")
		}
		t.Skip("PostgreSQL is not installed")
	}
	bin, owner := filepath.Dir(found[0]), &syscall.SysProcAttr{}
	dir, err := os.MkdirTemp("", "mcp-postgres-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if os.Geteuid() == 0 { // which PostgreSQL refuses to run as
		u, err := user.Lookup("postgres")
		if err != nil {
			t.Fatal(err)
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		owner.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, uid, gid); err != nil {
			t.Fatal(err)
		}
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.SysProcAttr, cmd.Dir = owner, dir
		return cmd
	}
	if out, err := run("initdb", "-D", dir+"/data", "-A", "trust", "-U", "mcp", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	var log bytes.Buffer
	server := run("postgres", "-D", dir+"/data", "-h", "127.0.0.1", "-p", strconv.Itoa(port), "-k", dir, "-F")
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(syscall.SIGQUIT)
		_ = server.Wait() // it tells of the signal
	})
	dsn = fmt.Sprintf("postgres://mcp@127.0.0.1:%d/postgres?sslmode=disable", port)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		if err = db.Ping(); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not start: %v\n%s", err, log.String())
		}
	}
	if _, err := db.Exec(`CREATE TABLE certificate (tenant text, pem text)`); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := db.Exec(`INSERT INTO certificate VALUES ($1, $2)`, name, string(certstest.PEM(t, name))); err != nil {
			t.Fatal(err)
		}
	}
	return dsn
}

func TestDatabase(t *testing.T) {
	dsn := postgres(t)
	if got := names(t, certs.Database{DSN: dsn, Query: "SELECT pem FROM certificate ORDER BY tenant"}); got != "one two" {
		t.Error(got)
	}
	for query, want := range map[string]string{
		"SELECT pem FROM certificate WHERE false": "no certificates", "SELECT tenant FROM certificate": "row 1", "SELECT": "database",
	} {
		if got := names(t, certs.Database{DSN: dsn, Query: query}); !strings.Contains(got, want) {
			t.Errorf("%s: %s", query, got)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (certs.Database{DSN: dsn, Query: "SELECT pg_sleep(60)"}).Fetch(ctx); err == nil {
		t.Error("a question that was called off is answered")
	}
}
