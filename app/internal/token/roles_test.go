package token

import (
	"slices"
	"testing"
)

func TestRoles(t *testing.T) {
	ring := Alone(newTestKey(t, goodSecret))
	exp := now.Add(lifetime).Unix()
	for claim, want := range map[string][]Role{
		``:                                {Ingest, Read},
		`"roles":[],`:                     nil,
		`"roles":["read"],`:               {Read},
		`"roles":["admin","operate"],`:    {Operate},
		`"roles":["READ"],`:               nil,
		`"roles":["ingest","ingest"],`:    {Ingest},
		`"role":"operate",`:               {Ingest, Read},
		`"roles":["read","","operate "],`: {Read},
	} {
		text := sign(hs256, claimsOf(`{"sub":"drone",%s"exp":%d}`, claim, exp), goodSecret)
		for range 2 { // the second time it is remembered
			id, err := ring.Verify(text, now)
			if err != nil || !slices.Equal(id.Roles, want) || id.ExpiresAt.Unix() != exp {
				t.Errorf("%s got %+v, %v; want %v", claim, id, err, want)
			}
		}
	}
	for _, roles := range [][]Role{{Read}, {Operate, Ingest}, {}} {
		text, err := ring.Mint(Identity{Subject: "drone", Roles: roles}, lifetime, now)
		if err != nil {
			t.Fatal(err)
		}
		if id, err := ring.Verify(text, now); err != nil || !slices.Equal(id.Roles, roles) {
			t.Errorf("minted with %v, got %v, %v", roles, id.Roles, err)
		}
	}
}
