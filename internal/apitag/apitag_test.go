package apitag_test

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/whozex/whozex-go/internal/apitag"
)

func TestOf(t *testing.T) {
	of := func(tag reflect.StructTag) []apitag.Rule {
		return apitag.Of(reflect.StructField{Name: "Field", Tag: tag}, "GetPackage")
	}
	assert.Empty(t, of(`json:"id"`))
	assert.Equal(t, []apitag.Rule{
		{Name: "documented", Value: "PurchasePackage"},
		{Name: "path", Value: "GetPackage AddGB", Named: true},
		{Name: "null"},
	}, of(`api:"documented=PurchasePackage,path=GetPackage AddGB,null"`))
	assert.Panics(t, func() { of(`api:"infered"`) })
}
