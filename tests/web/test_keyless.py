"""The process that answers HTTP can neither read a private key nor sign."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_web_process_loads_nothing_that_opens_keys() -> None:
    """With the whole site loaded, the modules that read key files, sign heads or sequence are not there."""
    program = (
        "import sys, web.server, web.front.asgi, web.pages, web.api\n"
        "web.pages.blueprints(); web.api.blueprints()\n"
        "print(*[name for name in sys.modules if name in ('ledger.keyfile', 'ledger.publisher.signing', 'ledger.publisher.sequencer',"
        " 'ledger.publisher.handover', 'ledger.pkcs8')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
