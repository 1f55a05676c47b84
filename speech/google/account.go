package google

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"cloud.google.com/go/auth"
	"cloud.google.com/go/auth/credentials"
	asr "cloud.google.com/go/speech/apiv1"
	tts "cloud.google.com/go/texttospeech/apiv1"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	grpccredentials "google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// account is the connections of those who share credentials.
type account struct {
	tts   *tts.Client
	asr   *asr.Client
	conns []*grpc.ClientConn
}

// scope is what tokens are asked for.
const scope = "https://www.googleapis.com/auth/cloud-platform"

// account finds or opens the connections for a tenant. Nothing is sent yet.
func (e *Engine) account(tenant string) (*account, error) {
	file := e.config.Tenants[tenant]
	if file == "" {
		file = e.config.Credentials
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, errClosed
	}
	if a := e.accounts[file]; a != nil {
		return a, nil
	}
	a, err := openAccount(e.config, file)
	if err != nil {
		return nil, err
	}
	e.accounts[file] = a
	return a, nil
}

func openAccount(c Config, file string) (a *account, err error) {
	options, err := dialOptions(c, file)
	if err != nil {
		return nil, err
	}
	a = &account{}
	defer func() {
		if err != nil {
			err = errors.Join(fault(classConfig, err), a.close())
		}
	}()
	for _, endpoint := range []string{c.TTSEndpoint, c.ASREndpoint} {
		conn, err := grpc.NewClient(endpoint, options...)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", endpoint, err)
		}
		a.conns = append(a.conns, conn)
	}
	ctx := context.Background() // nothing waits
	if a.tts, err = tts.NewClient(ctx, option.WithGRPCConn(a.conns[0])); err != nil {
		return nil, err
	}
	a.asr, err = asr.NewClient(ctx, option.WithGRPCConn(a.conns[1]))
	return a, err
}

func (a *account) close() (err error) {
	for _, c := range a.conns {
		err = errors.Join(err, c.Close())
	}
	return err
}

func dialOptions(c Config, file string) ([]grpc.DialOption, error) {
	options := []grpc.DialOption{
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: time.Minute, Timeout: c.Budget}),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: backoff.DefaultConfig, MinConnectTimeout: c.Budget / 2}),
		grpc.WithUserAgent("mcp"),
	}
	if c.Insecure {
		return append(options, grpc.WithTransportCredentials(insecure.NewCredentials())), nil
	}
	roots, err := roots(c.CA)
	if err != nil {
		return nil, fault(classRoots, err)
	}
	from, err := read(file)
	if err != nil {
		return nil, fault(classCredential, err)
	}
	return append(options,
		grpc.WithTransportCredentials(grpccredentials.NewTLS(&tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})),
		grpc.WithPerRPCCredentials(bearer{from}),
	), nil
}

// roots reads root certificates; nil: the system's.
func roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return pool, nil
}

// read reads credentials, of whatever kind.
func read(file string) (*auth.Credentials, error) {
	options := &credentials.DetectOptions{Scopes: []string{scope}, UseSelfSignedJWT: true}
	if file == "" {
		return credentials.DetectDefault(options)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var kind struct {
		Type credentials.CredType `json:"type"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return nil, fmt.Errorf("%s is no file of credentials: %w", file, err)
	}
	return credentials.NewCredentialsFromJSON(kind.Type, text, options)
}

// bearer sends an account's token with every request.
type bearer struct{ from *auth.Credentials }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(ctx context.Context, _ ...string) (map[string]string, error) {
	token, err := b.from.Token(ctx)
	if err != nil {
		return nil, err
	}
	headers := map[string]string{"authorization": "Bearer " + token.Value}
	if project, err := b.from.QuotaProjectID(ctx); err == nil && project != "" {
		headers["x-goog-user-project"] = project
	}
	return headers, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials.
func (bearer) RequireTransportSecurity() bool { return true }
