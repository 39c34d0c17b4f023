package tak

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"software.sslmate.com/src/go-pkcs12"
)

// fileError is a file of the TLS options that is no good, and what to do about it.
func fileError(name string, err error, hint string) error {
	return &Error{Op: "read TLS file", Addr: name, Err: err, Hint: hint}
}

// contents are the files of TLSOptions as they were read together; those that are not configured are nil.
type contents struct{ ca, cert, key, p12, password []byte }

func (o TLSOptions) read() (contents, error) {
	var c contents
	files := []struct {
		name string
		to   *[]byte
	}{{o.CAFile, &c.ca}, {o.CertFile, &c.cert}, {o.KeyFile, &c.key}, {o.P12File, &c.p12}, {o.PasswordFile, &c.password}}
	for _, file := range files {
		if file.name == "" {
			continue
		}
		data, err := os.ReadFile(file.name)
		if err != nil {
			return contents{}, fileError(file.name, err, "is the Secret mounted, and may this user read it?")
		}
		*file.to = data
	}
	return c, nil
}

// sum tells whether two contents are the same.
func (c contents) sum() [sha256.Size]byte {
	all := sha256.New()
	for _, file := range [][]byte{c.ca, c.cert, c.key, c.p12, c.password} {
		one := sha256.Sum256(file)
		all.Write(one[:])
	}
	return [sha256.Size]byte(all.Sum(nil))
}

// parse makes an identity of the files.
func (o TLSOptions) parse(c contents) (identity, error) {
	var i identity
	password := strings.TrimRight(string(c.password), "\r\n")
	var err error
	switch {
	case o.P12File != "":
		var authorities []*x509.Certificate
		if i.client, authorities, err = parseP12(o.P12File, c.p12, password); err == nil && len(authorities) > 0 {
			i.roots = pool(authorities)
		}
	case o.CertFile != "":
		i.client, err = parsePair(o, c)
	}
	if err == nil && o.CAFile != "" {
		i.roots, err = parseAuthorities(o.CAFile, c.ca, password)
	}
	if err != nil {
		return identity{}, err
	}
	return i, nil
}

func parsePair(o TLSOptions, c contents) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(c.cert, c.key)
	switch {
	case err == nil:
		return &pair, nil
	case bytes.Contains(c.key, []byte("ENCRYPTED")):
		return nil, fileError(o.KeyFile, errors.New("the private key is encrypted"),
			"decrypt it with: openssl pkey -in client.key -out plain.key; or use PKCS#12 with a password file")
	case strings.Contains(err.Error(), "does not match"):
		return nil, fileError(o.KeyFile, err, "the key is another certificate's: give the one that was made with "+o.CertFile)
	}
	return nil, fileError(o.CertFile, err, "want PEM: the certificate and its intermediates in one file, the key in the other")
}

// parseP12 returns the client's certificate and, apart, the authorities in the file.
func parseP12(name string, data []byte, password string) (*tls.Certificate, []*x509.Certificate, error) {
	key, leaf, others, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return nil, nil, fileError(name, err, p12Hint(err))
	}
	all := append([]*x509.Certificate{leaf}, others...)
	mine := slices.IndexFunc(all, func(certificate *x509.Certificate) bool { return sameKey(key, certificate) })
	if mine < 0 {
		return nil, nil, fileError(name, errors.New("the private key matches no certificate in it"),
			"export it again with: openssl pkcs12 -export -inkey client.key -in client.pem -certfile ca.pem -out client.p12")
	}
	leaf = all[mine]
	all = slices.Delete(all, mine, mine+1)
	client := &tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf}
	var authorities []*x509.Certificate
	for _, certificate := range all {
		client.Certificate = append(client.Certificate, certificate.Raw)
		if certificate.IsCA {
			authorities = append(authorities, certificate)
		}
	}
	return client, authorities, nil
}

func sameKey(private any, certificate *x509.Certificate) bool {
	signer, ok := private.(crypto.Signer)
	if !ok {
		return false
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(certificate.PublicKey)
}

func p12Hint(err error) string {
	var unsupported pkcs12.NotImplementedError
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword), errors.Is(err, pkcs12.ErrDecryption):
		return "the password is wrong: look into the password file; TAK's own scripts use atakatak unless told otherwise"
	case errors.As(err, &unsupported):
		return "convert it with: openssl pkcs12 -in old.p12 -legacy -out all.pem; then openssl pkcs12 -export -in all.pem -out new.p12"
	}
	return "want a PKCS#12 file with one private key and its certificate"
}

// parseAuthorities reads PEM or a PKCS#12 trust store.
func parseAuthorities(name string, data []byte, password string) (*x509.CertPool, error) {
	const hint = "want PEM; a .p12 that keytool did not make is converted with: " +
		"openssl pkcs12 -in truststore.p12 -nokeys -out ca.pem"
	if bytes.HasPrefix(data, []byte{0xfe, 0xed, 0xfe, 0xed}) { // the magic number of sun.security.provider.JavaKeyStore
		return nil, fileError(name, errors.New("it is a Java key store of the old kind (JKS)"),
			"convert it with: keytool -importkeystore -srckeystore truststore.jks -destkeystore truststore.p12 -deststoretype PKCS12")
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		certificates, err := pkcs12.DecodeTrustStore(data, password)
		switch {
		case errors.Is(err, pkcs12.ErrIncorrectPassword):
			return nil, fileError(name, err, p12Hint(err))
		case err != nil:
			return nil, fileError(name, fmt.Errorf("neither PEM nor a trust store: %w", err), hint)
		}
		return pool(certificates), nil
	}
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fileError(name, err, hint)
		}
		certificates = append(certificates, certificate)
	}
	if len(certificates) == 0 {
		return nil, fileError(name, errors.New("there is no certificate in it"), hint)
	}
	return pool(certificates), nil
}

func pool(certificates []*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, certificate := range certificates {
		p.AddCert(certificate)
	}
	return p
}
