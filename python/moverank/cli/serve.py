"""``moverank serve``: rerankers' dialects and indexes over HTTP, and a page that shows why."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

from moverank._support.optional import optional
from moverank.cli.encoders import add_encoder_options, require_encoder_options
from moverank.cli.errors import UserError
from moverank.cli.options import add_measure_options, check_counts, chosen_measure
from moverank.readers.texts import read_text


def add_parser(commands: Any) -> None:
    """Add the subcommand."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="answer rerankers' clients, search indexes over HTTP, and show rankings on a page",
        description="Serve reranking in the dialects of Cohere, Jina, vLLM and text-embeddings-inference, search of "
        "indexes of texts, and a page that shows why a document stands where it stands. Needs moverank[serve].",
    )
    parser.add_argument("indexes", type=Path, nargs="*", metavar="INDEX", help="folders of indexes of texts, served "
                        "under their names")  # fmt: skip
    parser.add_argument("--shards", type=Path, nargs="+", action="append", default=[], metavar=("NAME", "FOLDER"),
                        help="a name, and folders of indexes of texts that are searched as one under it; may be "
                        "repeated")  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1, this machine "
                        "alone)")  # fmt: skip
    parser.add_argument("--port", type=int, default=8080, help="port to listen at (default: 8080; 0 takes a free one)")
    parser.add_argument("--workers", type=int, default=1, help="processes (default: 1, which uses all cores)")
    parser.add_argument("--writable", action="store_true", help="let clients add, replace and remove documents")
    parser.add_argument("--token-file", type=Path, metavar="PATH", help="file with the token that clients have to send "
                        "(default: the variable MOVERANK_TOKEN; none without it)")  # fmt: skip
    parser.add_argument("--cors", action="append", metavar="ORIGIN", help="origin of pages that may call the service; "
                        "may be repeated")  # fmt: skip
    parser.add_argument("--allow-host", action="append", metavar="HOST", help="name or address by which clients may "
                        "call the service; may be repeated, and may begin with '*.', or be '*' for any (default: those "
                        "of this machine if it listens to it alone and asks for no token, else any)")  # fmt: skip
    parser.add_argument("--deadline", type=float, default=30.0, metavar="SECONDS", help="most seconds for a request "
                        "(default: 30)")  # fmt: skip
    parser.add_argument("--body-mb", type=float, default=32.0, metavar="MB", help="most megabytes of a request "
                        "(default: 32)")  # fmt: skip
    parser.add_argument("--threads", type=int, help="requests that are computed at a time (default: the cores)")
    parser.add_argument("--waiting", type=int, default=128, help="requests that may wait for that; more are refused "
                        "(default: 128)")  # fmt: skip
    parser.add_argument("--cache-mb", type=float, default=256.0, metavar="MB", help="size of the cache of encoded "
                        "documents (default: 256)")  # fmt: skip
    parser.add_argument("--log", choices=("text", "json"), default="text", help="form of the log on standard error "
                        "(default: text)")  # fmt: skip
    add_measure_options(parser)
    add_encoder_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    uvicorn = optional("uvicorn", "serve")
    optional("fastapi", "serve")
    from moverank.serve.logs import configuration
    from moverank.serve.metrics import SEVERAL
    from moverank.serve.options import VARIABLE

    check_counts(args, "workers", "threads", "waiting")
    if not 0 <= args.port < 1 << 16:
        raise UserError(f"--port must be from 0 to 65535, got {args.port}")
    for name, least in (("deadline", 1e-3), ("body_mb", 1e-3), ("cache_mb", 0.0)):
        if not least <= getattr(args, name) < 1e9:
            raise UserError(f"--{name.replace('_', '-')} must be at least {least:g}, got {getattr(args, name):g}")
    options = _options(args)
    server: dict[str, Any] = {
        "host": args.host,
        "port": args.port,
        "log_config": configuration(args.log),
        "access_log": False,
        "server_header": False,
        "timeout_graceful_shutdown": int(args.deadline) + 5,
        "backlog": 4096,
        "http": "moverank.serve.connections:ImpatientProtocol",
        "ws": "none",
    }
    from moverank.serve.app import create_app

    app = create_app(options)  # here as well, so that what cannot be served is an error at once
    if args.workers == 1:
        uvicorn.run(app, **server)
        return 0
    app.state.engine.close()
    app.state.catalog.close()
    with tempfile.TemporaryDirectory(prefix="moverank-serve-") as folder:
        os.environ[VARIABLE] = options.as_text()
        os.environ[SEVERAL] = folder
        uvicorn.run("moverank.serve.app:from_environment", factory=True, workers=args.workers, **server)
    return 0


def _options(args: argparse.Namespace) -> Any:
    from moverank.serve.options import EncoderFiles, Options

    names = [path.resolve().name for path in args.indexes]
    shards = {str(name): folders for name, *folders in args.shards}
    for name, folders in shards.items():
        if not folders:
            raise UserError(f"--shards {name}: expected folders after the name")
    named = names + [str(name) for name, *_ in args.shards]
    for name in named:
        if named.count(name) > 1:
            raise UserError(f"two indexes have the name {name!r}, under which they are served")
    require_encoder_options(args)
    of_model = {name: getattr(args, name) for name in ("max_length", "query_prompt", "document_prompt")}
    encoder = EncoderFiles(
        vectors=_path(args.vectors),
        words={"lower_case": not args.keep_case, "segmenter": args.segmenter},
        model=_path(args.model),
        tokenizer=_path(args.tokenizer),
        options={**of_model, "subwords": args.subwords or "mean"},
    )
    measure = chosen_measure(args)
    token = (
        read_text(args.token_file).strip() if args.token_file is not None else os.environ.get("MOVERANK_TOKEN") or None
    )
    if token is not None and (not token or not token.isascii() or not token.isprintable() or " " in token):
        raise UserError("--token-file, or MOVERANK_TOKEN: expected one word of ASCII characters")
    return Options(
        indexes=dict(zip(names, args.indexes, strict=True)),
        shards=shards,
        encoder=encoder,
        measure=args.measure or "wrd",
        capacity=measure.capacity,
        writable=args.writable,
        token=token,
        origins=tuple(args.cors or ()),
        hosts=_hosts(args, token),
        deadline=args.deadline,
        body_bytes=int(args.body_mb * 1e6),
        threads=args.threads,
        waiting=args.waiting,
        cache_bytes=int(args.cache_mb * 1e6),
    )


def _hosts(args: argparse.Namespace, token: str | None) -> tuple[str, ...]:
    """Names of the service; pages of others could be led to one that listens to this machine alone."""
    from moverank.serve.hosts import LOCAL, is_local, is_name

    allowed = args.allow_host or []
    if "*" in allowed or not (allowed or (is_local(args.host) and token is None)):
        return ()
    for host in allowed:
        if not is_name(host):
            raise UserError(f"--allow-host: expected a name or an address without scheme and port, got {host!r:.80}")
    return (*LOCAL, *((args.host,) if is_name(args.host) else ()), *allowed)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())
