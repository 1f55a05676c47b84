// Package azure stores recordings in a container of Azure Blob Storage.
package azure

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/streaming"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blockblob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"

	"mcp/control/upload"
)

// blockSize is how much goes into one block, and the most that goes without blocks.
const blockSize = 16 << 20

// Config is which container, and as whom: one of the two.
type Config struct {
	// URL of the container with a shared access signature.
	URL string
	// Connection is a storage account's connection string, and Container the name.
	Connection, Container string
	Prefix                string
}

// Store is a container. It implements upload.Store.
type Store struct {
	container *container.Client
	prefix    string
	block     int64
}

// New checks the credentials' form; it does not talk to the container.
func New(cfg Config) (*Store, error) {
	var client *container.Client
	var err error
	if cfg.Connection != "" {
		client, err = container.NewClientFromConnectionString(cfg.Connection, cfg.Container, nil)
	} else {
		client, err = container.NewClientWithNoCredential(cfg.URL, nil)
	}
	if err != nil {
		return nil, fmt.Errorf("container: %w", err)
	}
	return &Store{client, cfg.Prefix, blockSize}, nil
}

// Put implements upload.Store.
func (s *Store) Put(ctx context.Context, o upload.Object) error {
	f, err := o.Open()
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	client := s.container.NewBlockBlobClient(path.Join(s.prefix, o.Name))
	if o.Size <= s.block {
		err = whole(ctx, client, o, f)
	} else {
		err = s.inBlocks(ctx, client, o, f)
	}
	return classify(err)
}

func whole(ctx context.Context, client *blockblob.Client, o upload.Object, f upload.File) error {
	_, err := client.Upload(ctx, streaming.NopCloser(f), &blockblob.UploadOptions{
		HTTPHeaders: headers(o), Metadata: describe(o),
		TransactionalValidation: blob.TransferValidationTypeMD5(o.MD5[:]),
	})
	return err
}

// inBlocks goes on with what was begun: blocks are named by place and content, and
// those that the container has need not be sent again.
func (s *Store) inBlocks(ctx context.Context, client *blockblob.Client, o upload.Object, f upload.File) error {
	have, err := begun(ctx, client)
	if err != nil {
		return err
	}
	var names []string
	for at := int64(0); at < o.Size; at += s.block {
		part := io.NewSectionReader(f, at, min(s.block, o.Size-at))
		sum := md5.New()
		if _, err := io.Copy(sum, part); err != nil {
			return fmt.Errorf("read recording: %w", err)
		}
		name := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%08d-%x", len(names), sum.Sum(nil)))
		names = append(names, name)
		if have[name] {
			continue
		}
		if _, err := part.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err = client.StageBlock(ctx, name, streaming.NopCloser(part), &blockblob.StageBlockOptions{
			TransactionalValidation: blob.TransferValidationTypeMD5(sum.Sum(nil)),
		})
		if err != nil {
			return err
		}
	}
	if _, err := client.CommitBlockList(ctx, names, &blockblob.CommitBlockListOptions{HTTPHeaders: headers(o), Metadata: describe(o)}); err != nil {
		return err
	}
	return stored(ctx, client, o)
}

// begun lists the blocks of an upload that was interrupted.
func begun(ctx context.Context, client *blockblob.Client) (map[string]bool, error) {
	list, err := client.GetBlockList(ctx, blockblob.BlockListTypeUncommitted, nil)
	if bloberror.HasCode(err, bloberror.BlobNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	have := map[string]bool{}
	for _, b := range list.UncommittedBlocks {
		have[*b.Name] = true
	}
	return have, nil
}

// stored asks for the whole of what was sent in blocks, each of which was checked.
func stored(ctx context.Context, client *blockblob.Client, o upload.Object) error {
	p, err := client.GetProperties(ctx, nil)
	if err != nil {
		return err
	}
	if p.ContentLength == nil || *p.ContentLength != o.Size || !bytes.Equal(p.ContentMD5, o.MD5[:]) {
		return errors.New("what the container keeps is not what was sent")
	}
	return nil
}

func headers(o upload.Object) *blob.HTTPHeaders {
	return &blob.HTTPHeaders{BlobContentType: &o.ContentType, BlobContentMD5: o.MD5[:]}
}

func describe(o upload.Object) map[string]*string {
	sum := hex.EncodeToString(o.SHA256[:])
	return map[string]*string{"recordingid": &o.ID, "sha256": &sum}
}

// classify tells what no further try can mend.
func classify(err error) error {
	if bloberror.HasCode(err, bloberror.RequestBodyTooLarge, bloberror.BlockCountExceedsLimit, bloberror.InvalidResourceName,
		bloberror.InvalidBlobType, bloberror.MetadataTooLarge) {
		return fmt.Errorf("%w: %w", upload.ErrRefused, err)
	}
	return err
}
