"""Bench, subject: the least that FastAPI can do: one JSON object in, the same one out.

`python bench/subjects/echo.py PORT`
"""

import sys
from typing import Any

import uvicorn
from fastapi import FastAPI

app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@app.post("/v1/jobs")
async def echo(call: dict[str, Any]) -> dict[str, Any]:
    """The same again."""
    return call


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, server_header=False)
