package mem_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/deltahook/deltahook/internal/store/mem"
	"github.com/deltahook/deltahook/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Store { return mem.New() })
}
