package compliance

import (
	"encoding/hex"
	"io/fs"
	"net/url"
	"strings"
	"time"
)

// fileModes allows 0600, and 0700 for directories.
func fileModes(v *View) {
	files, ok := v.Files()
	if !ok || !some(v, files, "file") {
		return
	}
	for _, f := range files {
		if f.Mode == 0 {
			v.Unknownf("file %s: mode not known", quoted(f.Name))
			continue
		}
		mode, allowed := fs.FileMode(f.Mode), fs.FileMode(0o600)
		if mode.IsDir() {
			allowed = 0o700
		}
		if mode.Perm()&^allowed != 0 || mode&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
			v.Failf("file %s has mode %04o", quoted(f.Name), mode.Perm())
		}
	}
	v.Notef("%d files", len(files))
}

type logIntact struct {
	// MaxBackward is how far the clock of the log may go back.
	MaxBackward string `json:"max_backward"`

	back time.Duration
}

func (p *logIntact) check() (err error) {
	if p.MaxBackward == "" {
		return nil
	}
	p.back, err = parseAge(p.MaxBackward)
	return err
}

// logVerified is GDPR 5(1)(f) and HIPAA 164.312(b).
func logVerified(v *View, p logIntact) {
	l, ok := v.Log()
	if !ok {
		return
	}
	if l.Damage != "" {
		v.Failf("the log is damaged: %s", clip(l.Damage))
	}
	if l.Gaps > 0 {
		v.Failf("%d entries do not follow the one before", l.Gaps)
	}
	if l.Back > p.back {
		v.Failf("the clock went back by %v", l.Back)
	}
	v.must(l.Verified, Yes, "the log was verified to its end")
	switch {
	case l.Entries == 0 || l.Head == "":
		v.Unknownf("the log has no entries, or no head")
	case l.HeadKept == No:
		v.Failf("a head that was kept elsewhere is not in the log")
	case l.HeadKept == Unanswered:
		v.Notef("no head was kept elsewhere: that the newest entries were cut would not show")
	}
	v.Notef("%d entries", l.Entries)
}

func encryptedAtRest(v *View) {
	if s, ok := v.Settings(); ok {
		v.must(s.EncryptedAtRest, Yes, "data at rest is encrypted")
	}
}

const minTLS = 0x0303 // TLS 1.2

// transportEncrypted is HIPAA 164.312(e)(1). Reasons name the scheme and the host: the rest of a URL may hold a secret.
func transportEncrypted(v *View) {
	endpoints, ok := v.Endpoints()
	if !ok {
		return
	}
	for i, e := range endpoints {
		u, err := url.Parse(e.URL)
		if err != nil || u.Host == "" {
			v.Unknownf("endpoint %d: not a URL with a host", i+1)
			continue
		}
		name := quoted(u.Scheme + "://" + u.Host)
		switch strings.ToLower(u.Scheme) {
		case "http", "ws", "ftp", "telnet":
			v.Failf("endpoint %s is not encrypted", name)
			continue
		}
		switch {
		case e.TLS == 0:
			v.Unknownf("endpoint %s: version of TLS not known", name)
		case e.TLS < minTLS:
			v.Failf("endpoint %s: TLS version %#04x, before 1.2", name, e.TLS)
		case e.TLS > 0x03ff: // SSL 2.0 and nonsense
			v.Failf("endpoint %s: version %#04x is not one of TLS", name, e.TLS)
		}
	}
	v.Notef("%d endpoints", len(endpoints))
}

func redactionOn(v *View) {
	if s, ok := v.Settings(); ok {
		v.must(s.Redaction, Yes, "logs are redacted")
	}
}

type restoreTested struct {
	Within string `json:"within"`

	within time.Duration
}

func (p *restoreTested) check() (err error) {
	p.within, err = parseAge(p.Within)
	return err
}

// restoreRecent is GDPR 32(1)(c): the ability to restore, as last shown.
func restoreRecent(v *View, p restoreTested) {
	s, ok := v.Settings()
	switch {
	case !ok:
	case s.RestoreTested.IsZero():
		v.Unknownf("not known when a restore was last tested")
	case s.RestoreTested.After(v.now.Add(maxSkew)):
		v.Unknownf("a restore was tested in the future")
	case v.now.Sub(s.RestoreTested) >= p.within:
		v.Failf("a restore was last tested at %s, not within %s", s.RestoreTested.UTC().Format(time.RFC3339), p.Within)
	}
}

func noiseSecure(v *View) {
	if s, ok := v.Settings(); ok {
		v.must(s.SecureNoise, Yes, "noise is drawn from a cryptographic source")
		v.must(s.FixedSeed, No, "noise cannot be drawn again from a fixed seed")
	}
}

// actorsNamed is HIPAA 164.312(a)(1) and (a)(2)(i).
func actorsNamed(v *View) {
	actors, ok := v.Actors()
	if !ok || !some(v, actors, "actor") {
		return
	}
	for i, a := range actors {
		if strings.TrimSpace(a.ID) == "" {
			v.Failf("actor %d has no id", i+1)
			continue
		}
		v.must(a.Shared, No, "the id of actor "+quoted(a.ID)+" is of one person")
	}
	v.Notef("%d actors", len(actors))
}

// actorsAuthenticated is HIPAA 164.312(d).
func actorsAuthenticated(v *View) {
	actors, ok := v.Actors()
	if !ok || !some(v, actors, "actor") {
		return
	}
	for i, a := range actors {
		if strings.TrimSpace(a.Method) == "" || strings.TrimSpace(a.ID) == "" {
			v.Failf("actor %d %s: without an id or a method of authentication", i+1, quoted(a.ID))
		}
	}
}

// digestsMatch is HIPAA 164.312(c)(1).
func digestsMatch(v *View) {
	digests, ok := v.Digests()
	if !ok || !some(v, digests, "digest") {
		return
	}
	have := make(map[string]bool)
	for _, d := range digests {
		have[d.Name] = true
		for _, at := range [][2]string{{"start", d.Start}, {"end", d.End}} {
			switch {
			case d.Manifest == "" || at[1] == "":
				v.Unknownf("%s: digest of the manifest or at the %s is missing", quoted(d.Name), at[0])
			case !isDigest(d.Manifest):
				v.Unknownf("%s: the manifest's digest is not one of 32 or more hexadecimal digits", quoted(d.Name))
			case !strings.EqualFold(d.Manifest, at[1]):
				v.Failf("%s: digest at the %s is not that of the manifest", quoted(d.Name), at[0])
			}
		}
	}
	v.Notef("%d digests", len(digests))
	v.cover(have, "digest")
	if run, ok := v.Run(); !ok {
		return
	} else if run.Model == "" {
		v.Unknownf("run %s: model not known", quoted(run.ID))
	} else if !have[run.Model] {
		v.Unknownf("model %s: no digest", quoted(run.Model))
	}
}

// isDigest reports whether s may be a digest of 128 bits or more.
func isDigest(s string) bool {
	_, err := hex.DecodeString(s)
	return err == nil && len(s) >= 32
}

type qualityLimits struct {
	Nulls       float64 `json:"nulls"`
	Duplicates  float64 `json:"duplicates"`
	LabelErrors float64 `json:"label_errors"`
}

func (p *qualityLimits) check() error {
	for _, x := range []float64{p.Nulls, p.Duplicates, p.LabelErrors} {
		if !(x > 0 && x <= 1) {
			return invalid("parameters", x, "nulls, duplicates and label_errors as rates in (0, 1]")
		}
	}
	return nil
}

// qualityWithin is GDPR 5(1)(d) and PIPEDA principle 6.
func qualityWithin(v *View, p qualityLimits) {
	list, ok := v.Quality()
	if !ok || !some(v, list, "dataset") {
		return
	}
	have := make(map[string]bool)
	for _, q := range list {
		have[q.Dataset] = true
		if q.Rows <= 0 {
			v.Unknownf("dataset %s: no rows", quoted(q.Dataset))
			continue
		}
		for _, x := range []struct {
			what  string
			n     int64
			limit float64
		}{{"nulls", q.Nulls, p.Nulls}, {"duplicates", q.Duplicates, p.Duplicates}, {"label errors", q.LabelErrors, p.LabelErrors}} {
			rate := float64(x.n) / float64(q.Rows)
			if x.n < 0 || x.n > q.Rows {
				v.Unknownf("dataset %s: %d %s of %d rows", quoted(q.Dataset), x.n, x.what, q.Rows)
			} else if !(rate < x.limit) {
				v.Failf("dataset %s: %s are %.3g of the rows, limit %v", quoted(q.Dataset), x.what, rate, x.limit)
			}
		}
	}
	v.cover(have, "quality")
}

// cover asks whether every dataset of the run has been looked at.
func (v *View) cover(have map[string]bool, what string) {
	datasets, ok := v.Datasets()
	if !ok || !some(v, datasets, "dataset") {
		return
	}
	for _, d := range datasets {
		if !have[d.Name] {
			v.Unknownf("dataset %s: no %s", quoted(d.Name), what)
		}
	}
}

type identifiersAbsent struct {
	Kinds []string `json:"kinds"`
}

func (p *identifiersAbsent) check() error {
	if len(p.Kinds) == 0 {
		return invalid("parameters' kinds", 0, "1 or more")
	}
	return nil
}

// identifiersFound is the part of HIPAA 164.514(b)(2)(i) that has a format.
func identifiersFound(v *View, p identifiersAbsent) {
	scans, ok := v.Scans()
	if !ok || !some(v, scans, "scan") {
		return
	}
	have := make(map[string]bool)
	for _, s := range scans {
		have[s.Dataset] = true
		if !s.Complete || s.Detector == "" || s.Rows <= 0 {
			v.Unknownf("dataset %s: not read to its end, or not known by what, or no rows", quoted(s.Dataset))
		}
		for _, kind := range p.Kinds {
			n, looked := s.Counts[kind]
			switch {
			case !looked || n < 0:
				v.Unknownf("dataset %s: not scanned for %s", quoted(s.Dataset), clip(kind))
			case n > 0:
				v.Failf("dataset %s: %d times what reads as %s", quoted(s.Dataset), n, clip(kind))
			}
		}
	}
	v.cover(have, "scan")
}
