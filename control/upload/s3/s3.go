// Package s3 stores recordings in a bucket of Amazon S3, or of what speaks like it.
package s3

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"mcp/control/upload"
)

// partSize is how much goes into one part, and the most that goes without parts.
const partSize = 16 << 20

// Config is which bucket, and as whom.
type Config struct {
	Bucket, Prefix string
	Region         string
	Endpoint       string // of what is not Amazon's; empty: the region's
	// KeyID and Secret are the access key. Empty: the environment's, the shared
	// files' or the machine's role.
	KeyID, Secret string
}

// Store is a bucket. It implements upload.Store.
type Store struct {
	cfg    Config
	client *s3.Client
	part   int64
}

// New finds the credentials; it does not talk to the bucket.
func New(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Bucket == "" {
		return nil, errors.New("no bucket")
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	options := []func(*config.LoadOptions) error{config.WithRegion(cfg.Region)}
	if cfg.KeyID != "" {
		options = append(options, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(cfg.KeyID, cfg.Secret, "")))
	}
	shared, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	client := s3.NewFromConfig(shared, func(o *s3.Options) {
		if cfg.Endpoint != "" {
			o.BaseEndpoint, o.UsePathStyle = aws.String(cfg.Endpoint), true
		}
		// Content-MD5 is what all servers know.
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	})
	return &Store{cfg, client, partSize}, nil
}

// Put implements upload.Store. The bucket compares what came with the sums that go
// along.
func (s *Store) Put(ctx context.Context, o upload.Object) error {
	f, err := o.Open()
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	key := path.Join(s.cfg.Prefix, o.Name)
	if o.Size <= s.part {
		err = s.whole(ctx, key, o, f)
	} else {
		err = s.inParts(ctx, key, o, f)
	}
	return classify(err)
}

func (s *Store) whole(ctx context.Context, key string, o upload.Object, f upload.File) error {
	_, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.cfg.Bucket, Key: &key, Body: f, ContentLength: &o.Size, ContentType: &o.ContentType,
		ContentMD5: sumText(o.MD5[:]), Metadata: describe(o),
	})
	return err
}

// inParts goes on with an upload that was begun, if there is one.
func (s *Store) inParts(ctx context.Context, key string, o upload.Object, f upload.File) error {
	id, have, err := s.begun(ctx, key)
	if err == nil && id == "" {
		id, err = s.begin(ctx, key, o)
	}
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n, at := int32(1), int64(0); at < o.Size; n, at = n+1, at+s.part {
		length := min(s.part, o.Size-at)
		sum := md5.New()
		if _, err := io.Copy(sum, io.NewSectionReader(f, at, length)); err != nil {
			return fmt.Errorf("read recording: %w", err)
		}
		tag := have[n]
		if !isTag(tag, sum.Sum(nil)) {
			res, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
				Bucket: &s.cfg.Bucket, Key: &key, UploadId: &id, PartNumber: &n,
				Body: io.NewSectionReader(f, at, length), ContentLength: &length, ContentMD5: sumText(sum.Sum(nil)),
			})
			if err != nil {
				return err
			}
			tag = aws.ToString(res.ETag)
		}
		parts = append(parts, types.CompletedPart{ETag: &tag, PartNumber: &n})
	}
	_, err = s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.cfg.Bucket, Key: &key, UploadId: &id, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return err
	}
	return s.stored(ctx, key, o)
}

func (s *Store) begin(ctx context.Context, key string, o upload.Object) (string, error) {
	res, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.cfg.Bucket, Key: &key, ContentType: &o.ContentType, Metadata: describe(o),
	})
	if err != nil {
		return "", err
	}
	return aws.ToString(res.UploadId), nil
}

// begun finds an upload that was interrupted, and the tags of its parts.
func (s *Store) begun(ctx context.Context, key string) (id string, parts map[int32]string, err error) {
	list, err := s.client.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &s.cfg.Bucket, Prefix: &key})
	if hasCode(err, "NoSuchUpload") { // how some servers say that there are none
		return "", nil, nil
	}
	if err != nil {
		return "", nil, err
	}
	for _, u := range list.Uploads {
		if aws.ToString(u.Key) == key {
			id = aws.ToString(u.UploadId)
		}
	}
	if id == "" {
		return "", nil, nil
	}
	parts = map[int32]string{}
	pages := s3.NewListPartsPaginator(s.client, &s3.ListPartsInput{Bucket: &s.cfg.Bucket, Key: &key, UploadId: &id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", nil, err
		}
		for _, p := range page.Parts {
			parts[aws.ToInt32(p.PartNumber)] = aws.ToString(p.ETag)
		}
	}
	return id, parts, nil
}

// stored asks for the whole of what was sent in parts, each of which was checked.
func (s *Store) stored(ctx context.Context, key string, o upload.Object) error {
	res, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.cfg.Bucket, Key: &key})
	if err != nil {
		return err
	}
	if n := aws.ToInt64(res.ContentLength); n != o.Size {
		return fmt.Errorf("the bucket has %d octets of %d", n, o.Size)
	}
	return nil
}

func describe(o upload.Object) map[string]string {
	return map[string]string{"id": o.ID, "sha256": hex.EncodeToString(o.SHA256[:])}
}

func sumText(sum []byte) *string { return aws.String(base64.StdEncoding.EncodeToString(sum)) }

// isTag tells whether an entity tag is that of a part with an MD5. Where objects are
// encrypted with keys of their own it never is: such parts are sent again.
func isTag(tag string, sum []byte) bool { return strings.Trim(tag, `"`) == hex.EncodeToString(sum) }

// classify tells what no further try can mend.
func classify(err error) error {
	if hasCode(err, "EntityTooLarge", "KeyTooLongError", "MetadataTooLarge", "InvalidArgument") {
		return fmt.Errorf("%w: %w", upload.ErrRefused, err)
	}
	return err
}

func hasCode(err error, codes ...string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains(codes, answer.ErrorCode())
}
