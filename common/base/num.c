/* num - see num.h. */
#include "base/num.h"

#include "base/must.h"

bool
num_parse_u64(struct slice s, uint64_t max, uint64_t *v_r)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		uint64_t digit = (uint64_t)(unsigned char)s.p[i] - '0';

		if (digit > 9 || v > (max - MIN(digit, max)) / 10)
			return false;
		v = v * 10 + digit;
		if (v > max)
			return false;
	}
	*v_r = v;
	return true;
}

bool
num_parse_u32(struct slice s, uint32_t *v_r)
{
	uint64_t v;

	if (!num_parse_u64(s, UINT32_MAX, &v))
		return false;
	*v_r = (uint32_t)v;
	return true;
}

struct slice
num_read_bytes(struct num_reader *r, size_t n)
{
	struct slice s;

	if (r->bad || r->rest.n < n) {
		r->bad = true;
		return slice_make(NULL, 0);
	}
	s = slice_make(r->rest.p, n);
	r->rest = slice_make(r->rest.p + n, r->rest.n - n);
	return s;
}

uint8_t
num_read_u8(struct num_reader *r)
{
	struct slice s = num_read_bytes(r, 1);

	return s.n != 0 ? (uint8_t)s.p[0] : 0;
}

uint16_t
num_read_u16(struct num_reader *r)
{
	struct slice s = num_read_bytes(r, 2);

	return s.n != 0 ? num_get_le16((const uint8_t *)s.p) : 0;
}

uint32_t
num_read_u32(struct num_reader *r)
{
	struct slice s = num_read_bytes(r, 4);

	return s.n != 0 ? num_get_le32((const uint8_t *)s.p) : 0;
}

uint64_t
num_read_u64(struct num_reader *r)
{
	struct slice s = num_read_bytes(r, 8);

	return s.n != 0 ? num_get_le64((const uint8_t *)s.p) : 0;
}

struct slice
num_read_blob(struct num_reader *r)
{
	return num_read_bytes(r, num_read_u32(r));
}
