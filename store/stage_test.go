package store

import (
	"strings"
	"testing"
)

// A block holds a bounded number of rows and, but for the last of them, of bytes, however many there are; what it holds
// does not share memory with the row that is read next.
func TestStageBlockIsBounded(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name        string
		size, count int
	}{
		{"small rows", 1, stageBlockRows},
		{"large rows", stageBlockBytes / 8, 8},
		{"huge rows", stageBlockBytes * 2, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			account := StagedAccount{Attributes: make([]byte, test.size)}
			n := 0
			next := func() (*StagedAccount, bool, error) {
				account.Attributes[0] = byte('a' + n%7)
				n++
				return &account, true, nil
			}
			var block stageBlock
			for range 2 {
				n = 0
				if more, err := block.fill(t.Context(), next); !more || err != nil {
					t.Fatal(more, err)
				}
				if len(block.accounts) != test.count {
					t.Fatalf("a block has %d rows, want %d", len(block.accounts), test.count)
				}
				for i := range block.accounts {
					if document := block.document(i); len(document) != test.size || document[0] != byte('a'+i%7) {
						t.Fatalf("document %d is not what was read", i)
					}
				}
				block.reset()
			}
			if cap(block.documents) > 2*stageBlockBytes {
				t.Errorf("an empty block keeps %d bytes", cap(block.documents))
			}
		})
	}
}

// Documents and keys count for the size of a row.
func TestStagedAccountSize(t *testing.T) {
	t.Parallel()
	a := StagedAccount{NativeIdentity: "n", Name: "nn", Attributes: []byte("{}"), CorrelationKeys: []string{"k", strings.Repeat("k", 9)}}
	if got := a.size(); got != 15 {
		t.Errorf("%d bytes, want 15", got)
	}
}
