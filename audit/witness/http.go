package witness

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"github.com/surefoot-ml/surefoot/audit"
	"github.com/surefoot-ml/surefoot/audit/internal/cosignature"
)

const (
	path     = "/add-checkpoint"
	sizeType = "text/x.tlog.size"
	// maxBody bounds requests and answers: 63 hashes and a note take a tenth of it.
	maxBody  = 64 << 10
	maxProof = 63
)

// formatRequest writes the body of a request.
func formatRequest(old uint64, proof []audit.Hash, checkpoint []byte) []byte {
	body := fmt.Appendf(nil, "old %d\n", old)
	for _, h := range proof {
		body = append(base64.StdEncoding.AppendEncode(body, h[:]), '\n')
	}
	return append(append(body, '\n'), checkpoint...)
}

// parseRequest reads what formatRequest wrote.
func parseRequest(body []byte) (old uint64, proof []audit.Hash, checkpoint []byte, err error) {
	head, checkpoint, ok := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	text, isOld := strings.CutPrefix(lines[0], "old ")
	if !ok || !isOld {
		return 0, nil, nil, fmt.Errorf("%w: it does not begin with the old size", ErrRequest)
	}
	old, err = strconv.ParseUint(text, 10, 63)
	if err != nil || strconv.FormatUint(old, 10) != text {
		return 0, nil, nil, fmt.Errorf("%w: old size %.40q is not a number", ErrRequest, text)
	}
	if len(lines)-1 > maxProof {
		return 0, nil, nil, fmt.Errorf("%w: %d hashes, the limit is %d", ErrRequest, len(lines)-1, maxProof)
	}
	for i, line := range lines[1:] {
		sum, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil || len(sum) != len(audit.Hash{}) {
			return 0, nil, nil, fmt.Errorf("%w: hash %d does not have 32 bytes", ErrRequest, i+1)
		}
		proof = append(proof, audit.Hash(sum))
	}
	return old, proof, checkpoint, nil
}

// statuses of the refusals.
var statuses = []struct {
	err    error
	status int
}{
	{ErrRequest, http.StatusBadRequest}, {ErrUnknownLog, http.StatusNotFound}, {ErrSignature, http.StatusForbidden},
	{ErrFork, http.StatusUnprocessableEntity}, {ErrClosed, http.StatusServiceUnavailable},
}

// ServeHTTP answers POST <prefix>/add-checkpoint. Others may find out the size of a log that the witness knows, but no more:
// there is nothing secret in what it signs.
func (w *Witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, path) {
		http.NotFound(rw, r)
		return
	}
	if r.Method != http.MethodPost {
		rw.Header().Set("Allow", http.MethodPost)
		http.Error(rw, "only POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxBody))
	if err != nil {
		http.Error(rw, fmt.Sprintf("the body cannot be read, or exceeds %d bytes", maxBody), http.StatusRequestEntityTooLarge)
		return
	}
	old, proof, checkpoint, err := parseRequest(body)
	if err == nil {
		body, err = w.Cosign(r.Context(), old, proof, checkpoint)
	}
	var size *audit.WitnessSizeError
	switch {
	case err == nil:
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = rw.Write(body)
	case errors.As(err, &size):
		rw.Header().Set("Content-Type", sizeType)
		rw.WriteHeader(http.StatusConflict)
		_, _ = fmt.Fprintln(rw, size.Size)
	default:
		for _, s := range statuses {
			if errors.Is(err, s.err) {
				http.Error(rw, err.Error(), s.status)
				return
			}
		}
		http.Error(rw, "witness: the head could not be stored", http.StatusInternalServerError) // no paths to strangers
	}
}

// Client asks a witness on another machine. It implements [audit.Witness], is safe for concurrent use, and a nil Client
// refuses.
type Client struct {
	url      string
	verifier note.Verifier
	http     *http.Client
}

// NewClient returns a client of the witness with the given public key at a URL, without the trailing "/add-checkpoint". The
// URL is one of https, or of this machine: the size that a witness says it has signed is not itself signed, and one beyond
// that of the log ends the log, since it was cut then. A nil http.Client uses the default one: the context bounds the wait.
func NewClient(prefix, key string, client *http.Client) (*Client, error) {
	u, err := url.Parse(prefix)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("witness: the URL is not http(s)://host/path without user, query and fragment")
	}
	if ip := net.ParseIP(u.Hostname()); u.Scheme != "https" && u.Hostname() != "localhost" && !ip.IsLoopback() {
		return nil, fmt.Errorf("witness: %s is not asked by http, use https", u.Host)
	}
	v, err := cosignature.NewVerifier(key)
	if err != nil {
		return nil, fmt.Errorf("witness: key: %w", err)
	}
	if client == nil {
		client = http.DefaultClient
	}
	return &Client{strings.TrimSuffix(u.String(), "/") + path, v, client}, nil
}

// Cosign implements [audit.Witness]. The error matches one of this package, is an [*audit.WitnessSizeError], or tells of the
// network. It returns only signatures that verify: what else the witness answers is left out.
func (c *Client) Cosign(ctx context.Context, old uint64, proof []audit.Hash, checkpoint []byte) ([]byte, error) {
	if c == nil {
		return nil, ErrClosed
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(formatRequest(old, proof, checkpoint)))
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("witness: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("witness: answer: %w", err)
	}
	if len(body) > maxBody {
		return nil, fmt.Errorf("witness: the answer exceeds %d bytes", maxBody)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return c.signatures(checkpoint, body)
	case http.StatusConflict:
		text, ok := strings.CutSuffix(string(body), "\n")
		if size, err := strconv.ParseUint(text, 10, 63); ok && err == nil && resp.Header.Get("Content-Type") == sizeType {
			if size != old {
				return nil, &audit.WitnessSizeError{Size: size}
			}
			return nil, fmt.Errorf("%w: %w", ErrFork, &audit.WitnessSizeError{Size: size})
		}
	}
	for _, s := range statuses {
		if resp.StatusCode == s.status {
			return nil, fmt.Errorf("%w (status %s)", s.err, resp.Status)
		}
	}
	return nil, fmt.Errorf("witness: status %s", resp.Status)
}

// signatures returns those lines of an answer that the witness has signed.
func (c *Client) signatures(checkpoint, answer []byte) ([]byte, error) {
	text, _, ok := bytes.Cut(checkpoint, []byte("\n\n"))
	if !ok {
		return nil, fmt.Errorf("%w: not a signed head", ErrRequest)
	}
	n, err := note.Open(append(append(bytes.Clone(text), "\n\n"...), answer...), note.VerifierList(c.verifier))
	if err != nil {
		return nil, fmt.Errorf("witness: the answer is not signed by %s: %w", c.verifier.Name(), err)
	}
	var lines []byte
	for _, s := range n.Sigs {
		lines = fmt.Appendf(lines, "— %s %s\n", s.Name, s.Base64)
	}
	return lines, nil
}
