"""Models of sentence-transformers and PyLate, tiny ones with random weights: their token vectors go straight in."""

import numpy as np
import pytest

import moverank as mr
from moverank.encoders import SentenceTransformerEncoder, encode_queries
from tiny_models import PIECES, tokenizer

TEXTS = ["the cat played", "dog", "the cat sat, the dog sat on the mat"]


#: The libraries warn of their own old ways.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of two layers, with its tokenizer, as transformers saves them."""
    transformers = pytest.importorskip("transformers", reason="sentence-transformers is not installed")
    folder = tmp_path_factory.mktemp("bert")
    made = tokenizer()
    made.no_padding()
    made.no_truncation()
    named = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[UNK]",
    }
    transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **named).save_pretrained(folder)
    config = transformers.BertConfig(
        vocab_size=len(PIECES) + 2,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    transformers.set_seed(0)
    transformers.BertModel(config).save_pretrained(folder)
    return str(folder)


def test_a_sentence_transformer_gives_what_it_would_pool(folder):
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    model = library.SentenceTransformer(folder, device="cpu")
    encoder = SentenceTransformerEncoder(model, batch_size=2)
    encoded = encoder.encode(TEXTS)
    assert encoded.tokens[0] == ["the", "cat", "play", "##ed"]
    for t, text in enumerate(TEXTS):
        alone = model.encode([text], output_value="token_embeddings")[0].cpu().numpy()
        np.testing.assert_allclose(encoded.sequences[t], alone[1:-1], atol=1e-5)
    with pytest.raises(ValueError, match="text 1 has no token"):
        encoder.encode(["cat", ""])


@pytest.mark.parametrize(("side", "pooled"), [("right", True), ("right", False), ("left", True)])
def test_prompts_are_seen_and_have_no_mass(folder, side, pooled):
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    model = library.SentenceTransformer(folder, device="cpu", prompts={"query": "the mat . ", "document": "dog "})
    model.set_pooling_include_prompt(pooled)
    model.tokenizer.padding_side = side
    encoder = SentenceTransformerEncoder(model)
    for found, prompt, length in (
        (encode_queries(encoder, TEXTS), "the mat . ", 3),
        (encoder.encode(TEXTS), "dog ", 1),
    ):
        assert found.tokens[0] == ["the", "cat", "play", "##ed"]
        # Padded on the left, this model's positions are others.
        for t, text in enumerate(TEXTS if side == "right" else []):
            whole = model.encode([prompt + text], output_value="token_embeddings")[0].cpu().numpy()
            np.testing.assert_allclose(found.sequences[t], whole[1 + length : -1], atol=1e-5)


def test_a_multi_vector_encoder_treats_queries_in_its_way(folder):
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    if not hasattr(library, "MultiVectorEncoder"):
        pytest.skip(f"sentence-transformers {library.__version__} has no MultiVectorEncoder")
    model = library.MultiVectorEncoder(folder, device="cpu")
    encoder = SentenceTransformerEncoder(model)
    documents, queries = encoder.encode(TEXTS), encode_queries(encoder, TEXTS[:1])
    for t, text in enumerate(TEXTS):
        np.testing.assert_allclose(
            documents.sequences[t], model.encode_document([text], convert_to_numpy=True)[0], atol=1e-5
        )
    expected = model.encode_query(TEXTS[:1], convert_to_numpy=True)[0]
    np.testing.assert_allclose(queries.sequences[0], expected, atol=1e-5)
    scores = model.similarity(model.encode_query(TEXTS[:1]), model.encode_document(TEXTS)).numpy()[0]
    ours = mr.distances(queries.sequences[0], documents.sequences, "maxsim")
    np.testing.assert_allclose(-ours * len(queries.tokens[0]), scores, rtol=1e-4)


def test_a_colbert_of_pylate_gives_what_it_scores_with(folder):
    library = pytest.importorskip("pylate.models", reason="pylate is not installed")
    if hasattr(pytest.importorskip("sentence_transformers"), "MultiVectorEncoder"):
        pytest.skip("pylate is installed beside a release of sentence-transformers that it does not support")
    model = library.ColBERT(folder, device="cpu", embedding_size=8, query_length=8, document_length=16)
    encoder = SentenceTransformerEncoder(model)
    documents, queries = encoder.encode(TEXTS), encode_queries(encoder, TEXTS[:1])
    assert documents.sequences.dim == queries.sequences.dim == 8
    for t, expected in enumerate(model.encode(TEXTS, is_query=False)):
        np.testing.assert_allclose(documents.sequences[t], expected, atol=1e-5)
    np.testing.assert_allclose(queries.sequences[0], model.encode(TEXTS[:1], is_query=True)[0], atol=1e-5)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="expected one of ColBERT, MultiVectorEncoder, SentenceTransformer, got str"):
        SentenceTransformerEncoder("all-MiniLM-L6-v2")
